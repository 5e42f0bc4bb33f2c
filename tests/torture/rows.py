"""The rows of the table, with the seconds that each may take at scale 1: less than an hour, for two rows at a time."""

from torture import damage, disk, hostile, interruptions, kills, lines, memory, numbers, rivals
from torture.arena import Row

ROWS = [
    Row("lines", 420, lines.made_up),
    Row("kill", 220, kills.in_mid_run),
    Row("kill_in_save", 240, kills.in_saves),
    Row("flip_checkpoint", 40, damage.checkpoint_bytes),
    Row("flip_files", 150, damage.run_files),
    Row("flip_cache", 60, damage.image_cache),
    Row("disk_full", 180, disk.full_at_every_write),
    Row("disk_tmpfs", 90, disk.full_file_system),
    Row("read_only", 40, disk.read_only),
    Row("signals", 180, interruptions.single_runs),
    Row("signals_sweep", 130, interruptions.sweeps),
    Row("signals_joblib", 150, interruptions.parallel_sweeps),
    Row("not_finite", 110, numbers.every_place),
    Row("hostile_config", 180, hostile.configs),
    Row("hostile_pickle", 50, hostile.pickles),
    Row("hostile_link", 70, hostile.links),
    Row("environment", 50, hostile.environment),
    Row("two_on_a_run", 60, rivals.one_run),
    Row("two_on_a_sweep", 60, rivals.one_sweep),
    Row("two_on_a_cache", 40, rivals.one_cache),
    Row("vanishing_data", 60, rivals.vanishing_data),
    Row("memory_flat", 200, memory.flat),
    Row("memory_short", 30, memory.too_little),
]
