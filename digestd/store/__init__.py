"""All SQL lives here and nowhere else: `base` says what a store promises, `sqlite` is the one there is."""
