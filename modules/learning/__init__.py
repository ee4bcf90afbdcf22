"""How the fund's prediction models learn: trained beside the live ones, tried, exchanged, and taken back."""
