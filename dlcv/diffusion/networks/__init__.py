"""The class-conditional networks of digits."""
