"""Methods that solve the challenges, and the control that does not."""
