package metrics

// Bounds are the upper bounds of latencies, in seconds.
func Bounds() []float64 { return seconds }
