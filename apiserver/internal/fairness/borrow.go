package fairness

// fits tells whether a level may take so many more seats now. What holds at all times is that seats which were borrowed
// are covered by seats that their levels lend and do not use, so that each level finds what it does not lend.
func (l *Limiter) fits(v *level, width int) bool {
	after := v.used + width
	switch {
	case v.exempt, after <= v.nominal-v.lends, after <= v.nominal && l.lent == 0:
		return true
	case v.used == 0 && v.nominal > 0 && after > v.nominal:
		return true // wider than the whole level has become: it must come through at some time
	case after-v.nominal > v.borrows:
		return false
	}
	lent := l.lent - max(v.used-v.nominal, 0) + max(after-v.nominal, 0)
	return lent <= l.spare(v)+min(v.lends, max(v.nominal-after, 0))
}

// spare is how many seats other levels lend and do not use themselves.
func (l *Limiter) spare(but *level) (n int) {
	for _, v := range l.levels {
		if v != but && !v.gone && !v.exempt {
			n += min(v.lends, max(v.nominal-v.used, 0))
		}
	}
	return n
}

// jumps tells whether a request that fits would take borrowed seats before somebody who waits for seats of his own
// level, or who has borrowed less.
func (l *Limiter) jumps(v *level, width int) bool {
	return l.waiting > 0 && !v.exempt && v.used+width > v.nominal-v.lends
}

// pump starts who may start: first those that wait for their own level's seats, then, one at a time, the level that has
// borrowed the least part of what is its own.
func (l *Limiter) pump(now int64) {
	for _, v := range l.levels {
		if v.waiting == 0 {
			continue
		}
		v.advance(now)
		for w := v.first(); w != nil && l.fits(v, w.width) && (v.exempt || v.used+w.width <= v.nominal); w = v.first() {
			l.call(v, w, now)
		}
	}
	for l.waiting > 0 {
		var best *level
		var who *waiter
		for _, v := range l.levels {
			if v.waiting == 0 {
				continue
			}
			w := v.first()
			if !l.fits(v, w.width) {
				continue
			}
			if best == nil || v.used*max(best.nominal, 1) < best.used*max(v.nominal, 1) {
				best, who = v, w
			}
		}
		if best == nil {
			return
		}
		l.call(best, who, now)
	}
}

// call tells a waiter that it is its turn.
func (l *Limiter) call(v *level, w *waiter, now int64) {
	l.leave(v, w)
	w.started, w.startedAt = true, now
	l.charge(w.schema, w.queue, w.width)
	close(w.ready)
}
