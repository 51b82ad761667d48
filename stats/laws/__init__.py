"""Laws of landslide area density as records of parameter arrays, one law per case."""
