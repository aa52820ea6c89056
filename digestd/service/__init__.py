"""The rooms put together: `build` makes the real things, `rounds` does the work once, `daemon` keeps at it."""
