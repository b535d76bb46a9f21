"""Figures that move in a browser and stand still on paper."""
