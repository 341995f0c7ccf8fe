module evenkeel.dev/meter

go 1.26
