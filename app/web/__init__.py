"""From request to page: rendering, forms, guards, assets, errors, security headers. Knows no domain."""
