"""What Sphinx does for this book: offline, light, citable pages, and the reference."""
