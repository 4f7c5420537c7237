package main

// signalNumber is 0: processes are not ended by signals here.
func signalNumber(string) int { return 0 }
