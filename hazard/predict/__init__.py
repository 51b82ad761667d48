"""Maps of susceptibility, area density and hazard, from the forecasts of a run."""
