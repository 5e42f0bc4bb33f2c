"""The rows of the table, with the seconds that each may take at scale 1: less than an hour, for two rows at a time."""

from torture import damage, disk, hostile, interruptions, kills, lines, memory, numbers, rivals
from torture.arena import Row

ROWS = [
    Row("lines", 600, lines.made_up),
    Row("kill", 300, kills.in_mid_run),
    Row("kill_in_save", 300, kills.in_saves),
    Row("flip_checkpoint", 60, damage.checkpoint_bytes),
    Row("flip_files", 200, damage.run_files),
    Row("flip_cache", 100, damage.image_cache),
    Row("disk_full", 200, disk.full_at_every_write),
    Row("disk_tmpfs", 120, disk.full_file_system),
    Row("read_only", 60, disk.read_only),
    Row("signals", 240, interruptions.single_runs),
    Row("signals_sweep", 150, interruptions.sweeps),
    Row("signals_joblib", 150, interruptions.parallel_sweeps),
    Row("not_finite", 120, numbers.every_place),
    Row("hostile_config", 200, hostile.configs),
    Row("hostile_pickle", 60, hostile.pickles),
    Row("hostile_link", 90, hostile.links),
    Row("environment", 60, hostile.environment),
    Row("two_on_a_run", 90, rivals.one_run),
    Row("two_on_a_sweep", 60, rivals.one_sweep),
    Row("two_on_a_cache", 60, rivals.one_cache),
    Row("vanishing_data", 90, rivals.vanishing_data),
    Row("memory_flat", 240, memory.flat),
    Row("memory_short", 40, memory.too_little),
]
