"""Plans of sites: what each car should draw over the next hours, solved by other processes, on this machine or on many."""
