"""Files for a paper: tables, figures with their data, and archives of the runs behind each claim."""
