"""What a planned trial would be worth: its strength and power, its size, what they cost."""
