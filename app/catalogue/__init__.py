"""What is sold, and its price; the public pages that show it.

Owns `products`, `prices`. Draws home, catalogue, course page and free preview.
"""
