"""The faces of Ringfence towards people and programs: the command line, its reports, and what they say."""
