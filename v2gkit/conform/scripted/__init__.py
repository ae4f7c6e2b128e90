"""The scripted station that judges a car: it plays the good case, one thing wrong where a case says so, and writes down what it saw."""
