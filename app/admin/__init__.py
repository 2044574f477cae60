"""The back office's frame: navigation, dashboard, search, settings. Each domain draws its own lists in it."""
