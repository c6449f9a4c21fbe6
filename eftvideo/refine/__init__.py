"""After the fit: gaps filled, tracks smoothed, bodies put back onto their people."""
