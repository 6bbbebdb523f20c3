"""What is left behind, and goes: a run's watchdog, the sweep of what dead runs left, what is kept on request."""
