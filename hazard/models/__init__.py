"""Networks that predict where landslides occur and how much of a cell they cover."""
