"""Local stand-ins for outside services, run by bin/run beside the app. Nothing in the app imports them."""
