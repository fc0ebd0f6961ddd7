package sqlite_test

func writerChild([]string) {}
func racerChild([]string)  {}
func fullChild([]string)   {}
