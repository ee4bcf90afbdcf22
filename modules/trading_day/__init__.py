"""A simulated trading day: a whole fund on paper lives through a crash, an outage and an error storm, several times."""
