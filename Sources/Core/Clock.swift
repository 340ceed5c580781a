// The one clock of the engine: for reporting how long training has taken, never for what it computes.

import CSystem

/// Seconds on a clock that only goes forward, from an arbitrary start.
public func monotonicSeconds() -> Double { cs_seconds() }
