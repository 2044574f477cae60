"""Lectern: a school and membership business in one server-rendered application."""
