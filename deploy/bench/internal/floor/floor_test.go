package floor

import (
	"testing"
	"time"
)

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

func TestAsleepCountsEachMessage(t *testing.T) {
	each, err := Asleep(4, 6<<10, 3, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if each <= 0 || each > time.Second {
		t.Errorf("one message costs %s", each)
	}
}
