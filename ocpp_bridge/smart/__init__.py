"""Smart charging (blocks K and Q): profiles, their composite, and how they reach the car."""
