"""Who does many pieces of work: this process, several processes of this machine, or actors of Ray.

job (once for each worker) ─┐
tasks, as workers get free ─┴─> workers ──> outcomes, as they finish ──> in order, where that is asked for
"""
