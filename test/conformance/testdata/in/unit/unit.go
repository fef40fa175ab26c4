package unit

type Tree struct {
	Left, Right *Tree
	Key         int `json:"key" json:"other`
}

func (t *Tree) Insert(key int) *Tree {
	switch {
	case t == nil:
		return &Tree{Key: key}
	case key < t.Key:
		t.Left = t.Left.Insert(key)
	default:
		t.Right = t.Right.Insert(key)
	}
	return t
}

func Sum[T int | float64](list []T) (sum T) {
	for i := range list {
		list = list
		sum += list[i]
	}
	if len(list) > 0 {
		return sum
		println("never")
	}
	return 0
}

var Total = Sum([]int{1, 2, 3})
