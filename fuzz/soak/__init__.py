"""A station under thousands of cars, most of them faulty: what it still holds, and what it lost."""
