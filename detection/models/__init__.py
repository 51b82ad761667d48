"""Networks that map landslides in images: published ones as published, and a default of our own."""
