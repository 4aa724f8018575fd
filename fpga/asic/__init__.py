"""Standard cells: area, slack and power of the designs on osu018, from measured activity."""
