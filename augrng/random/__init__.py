"""From (seed, op, epoch, id) to decisions: seeds, bits, keys, draws, orders."""
