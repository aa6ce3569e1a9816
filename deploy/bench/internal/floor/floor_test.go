package floor

import "testing"

func TestCostGrowsWithTheBytes(t *testing.T) {
	small, err := Cost(1, 16<<10)
	if err != nil {
		t.Fatal(err)
	}
	large, err := Cost(2000, 16<<10)
	if err != nil {
		t.Fatal(err)
	}
	if small <= 0 || large <= small {
		t.Errorf("16 KiB cost %s, 32 MB cost %s", small, large)
	}
}
