"""For teachers and students: the student edition, its exercises, the class experiment on paper."""
