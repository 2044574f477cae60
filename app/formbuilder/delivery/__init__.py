"""What leaves the house of each entry: accounts of services, what is sent, and when."""
