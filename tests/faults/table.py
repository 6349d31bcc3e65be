"""The table of real faults: the tests that try each, the controls that show these can fail, the gaps.

A name is a test's path from ``tests`` and its own, or only the first part: a whole module, or a folder.
``asked`` is what we set ourselves, cases at each change and in a long proof.  Knows nothing of pytest.
"""

# Long because it is the table, a paragraph for each fault.

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["ABSENT", "ROWS", "Row", "controls", "named", "tests"]


class Row(NamedTuple):
    """One kind of fault."""

    number: int
    fault: str
    asked: tuple[int, int]
    tests: tuple[str, ...]
    controls: tuple[str, ...]
    open: str = ""
    """What of it is not tried."""


ROWS: Final = (
    Row(
        1,
        "`kill -9` at a write or a sync",
        (150, 3_000),
        (
            "crash/test_killed.py::test_killed_within_a_system_call",
            "crash/test_killed.py::test_killed_again_and_again_as_it_opens_or_closes",
            "journal/test_failing_disks.py::test_killed_at_a_call_it_has_what_was_acknowledged",
            "journal/test_log_files_failing.py::test_killed_at_a_call_it_loses_nothing_beside",
        ),
        ("crash/test_controls.py", "journal/test_log_files_failing.py::test_a_frame_that_is_lost_is_noticed"),
        "Every call of a short life of a journal alone; of a process with all its actors a sample",
    ),
    Row(
        2,
        "`kill -9` at a random time, again and again on one journal",
        (20, 2_000),
        (
            "crash/test_killed.py::test_killed_at_any_moment",
            "crash/test_business.py::test_a_firm_that_is_killed_balances",
            "crash/test_fan_out.py::test_a_fan_out_that_is_killed_goes_on_where_it_was",
            "crash/test_resumed.py",
            "journal/test_failing_disks.py::test_what_was_acknowledged_survives_kill_9",
            "domain/test_balance.py::test_money_and_goods_balance",
            "domain/test_demo.py::test_what_is_killed_comes_back",
        ),
        (
            "crash/test_controls.py",
            "crash/test_business.py::test_what_is_left_out_is_noticed",
            "crash/test_fan_out.py::test_finished_work_that_is_done_again_is_noticed",
            "domain/test_balance.py::test_a_compensation_that_was_left_out_is_noticed",
        ),
    ),
    Row(
        3,
        "Death at a known place: before and after a commit, in a checkpoint, while it recovers or closes",
        (40, 1_000),
        (
            "crash/test_killed.py::test_killed_at_a_bad_moment",
            "runtime/test_histories.py::test_a_crash_after_any_frame_loses_and_repeats_nothing",
            "runtime/test_histories.py::test_the_last_frame_is_there_or_it_is_not",
            "runtime/test_wakes.py::test_a_crash_between_two_slices_fires_nothing_twice",
        ),
        (
            "crash/test_controls.py",
            "core/test_negative_controls.py",
            "journal/test_faulty_journal.py::test_a_journal_that_lies_is_caught",
        ),
    ),
    Row(
        4,
        "The power fails in a commit, with any part of its pages or its record on the disk, some of it torn",
        (2_000, 100_000),
        (
            "journal/test_power.py::test_a_commit_is_there_or_it_is_not",
            "crash/test_power.py::test_wherever_the_power_fails_nothing_is_lost",
            "journal/test_power.py::test_pages_are_synced_before_the_meta_page",
            "journal/test_power.py::test_opening_makes_sure_of_what_it_found",
            "journal/test_power.py::test_moving_into_lmdb_is_there_or_it_is_not",
            "journal/test_power.py::test_frames_alone_are_one_write_that_waits_for_the_disk",
            "journal/test_log_files_left.py::test_a_torn_last_record_is_no_record",
            "journal/test_log_files_left.py::test_old_records_are_not_taken_for_new",
        ),
        (
            "journal/test_power.py::test_a_commit_without_its_pages_is_noticed",
            "journal/test_power.py::test_a_record_that_is_not_whole_is_noticed_once_more_was_written",
            "journal/test_power.py::test_frames_that_were_removed_before_they_were_moved_are_noticed",
            "journal/test_log_files_left.py::test_old_records_that_are_taken_for_new_are_noticed",
            "crash/test_power.py::test_syncs_that_were_left_out_are_noticed",
            "crash/test_power.py::test_writes_into_log_files_that_were_not_durable_are_noticed",
            "crash/test_power.py::test_a_checksum_that_is_not_asked_is_noticed",
            "crash/test_power.py::test_a_meta_page_before_its_pages_is_noticed",
        ),
        "A disk that says it has synced and has not; no file system but those of our machines",
    ),
    Row(
        5,
        "The power fails, or the process dies, while a journal is made",
        (50, 500),
        (
            "journal/test_opening.py::test_a_crash_while_it_is_made_is_mended",
            "journal/test_opening.py::test_a_process_that_dies_while_making_it_leaves_no_ruin",
        ),
        ("journal/test_opening.py::test_a_ruin_is_noticed",),
    ),
    Row(
        6,
        "The power fails, or the process dies, in a backup",
        (50, 500),
        (
            "journal/test_failing_disks.py::test_a_backup_that_is_killed_at_a_call_is_whole_or_not_there",
            "journal/test_failing_disks.py::test_a_backup_on_a_failing_disk_is_an_error_and_not_there",
            "journal/test_upkeep.py::test_a_backup_overwrites_nothing",
            "journal/test_opening.py::test_a_left_over_copy_is_removed",
        ),
        ("journal/test_failing_disks.py::test_half_a_backup_is_noticed",),
        "By calls at which it dies or that fail, not by images; no second format yet, and so no upgrade",
    ),
    Row(
        7,
        "A second crash, during recovery from the first",
        (100, 2_000),
        (
            "runtime/test_histories.py::test_crashes_while_it_recovers",
            "crash/test_killed.py::test_killed_again_and_again_as_it_opens_or_closes",
            "runtime/test_damage.py::test_an_actor_that_killed_the_process_twice_is_set_aside",
            "runtime/test_damage.py::test_one_that_killed_the_process_once_is_tried_again",
        ),
        ("core/test_negative_controls.py", "crash/test_controls.py"),
    ),
    Row(
        8,
        "A sync fails, once or for ever",
        (30, 500),
        (
            "journal/test_failing_disks.py::test_a_failing_disk_stops_the_journal",
            "crash/test_disk.py::test_whichever_call_fails_nothing_is_lost",
            "crash/test_disk.py::test_who_was_in_the_frame_is_told_unknown",
            "runtime/test_leaving.py::test_what_was_in_doubt_is_not_told_either",
            "runtime/test_failing.py",
            "journal/test_faulty_journal.py::test_a_commit_that_fails_once",
            "journal/test_faulty_journal.py::test_a_disk_that_fails_for_ever",
        ),
        (
            "journal/test_failing_disks.py::test_disks_do_fail_in_these_tests",
            "journal/test_faulty_journal.py::test_a_journal_that_lies_is_caught",
        ),
    ),
    Row(
        9,
        "The last write of a commit fails, and nobody knows whether it happened",
        (20, 200),
        (
            "runtime/test_leaving.py::test_who_was_in_the_frame_is_told_unknown_and_who_was_behind_it_not_accepted",
            "runtime/test_leaving.py::test_what_was_in_doubt_is_not_told_either",
            "journal/test_failing_disks.py::test_a_failing_disk_stops_the_journal",
            "journal/test_log_files_failing.py::test_a_write_that_fails_stops_the_journal",
        ),
        ("journal/test_failing_disks.py::test_disks_do_fail_in_these_tests",),
    ),
    Row(
        10,
        "A write of pages fails, or is short",
        (60, 1_000),
        (
            "journal/test_failing_disks.py::test_a_failing_disk_stops_the_journal",
            "journal/test_log_files_failing.py::test_a_disk_that_fails_at_a_call_loses_nothing_beside",
            "journal/test_log_files_failing.py::test_a_short_write_is_completed",
            "journal/test_failing_disks.py::test_a_disk_that_fails_while_it_is_opened_is_named",
            "journal/test_failing_disks.py::test_a_disk_that_takes_no_note_stops_nothing",
            "crash/test_disk.py::test_whichever_call_fails_nothing_is_lost",
        ),
        ("journal/test_failing_disks.py::test_disks_do_fail_in_these_tests",),
    ),
    Row(
        11,
        "The disk is full, and has space again",
        (20, 200),
        (
            "crash/test_disk.py::test_whichever_call_fails_nothing_is_lost",
            "crash/test_disk.py::test_a_full_disk_stops_it_and_space_mends_it",
            "journal/test_failing_disks.py::test_a_full_disk_stops_the_journal",
            "journal/test_log_files_failing.py::test_a_file_that_cannot_be_made_sends_frames_to_lmdb",
            "journal/test_failing_disks.py::test_space_mends_a_full_disk_without_a_restart",
            "journal/test_faulty_journal.py::test_a_full_disk_is_known_to_hold_nothing",
        ),
        ("journal/test_failing_disks.py::test_disks_do_fail_in_these_tests",),
        "By limits on a file and by injected errors, not on a small file system of its own",
    ),
    Row(
        12,
        "The map is full: it grows, or the quota is reached",
        (30, 200),
        (
            "journal/test_growth.py",
            "crash/test_disk.py::test_a_journal_at_its_quota_says_so",
            "crash/test_disk.py::test_at_its_quota_what_runs_ends",
            "runtime/test_leaving.py::test_a_full_journal_takes_nothing_new_and_lets_all_else_go_on",
        ),
        ("journal/test_growth.py::test_a_map_that_does_not_grow_is_noticed",),
    ),
    Row(
        13,
        "A slow disk, and one that stalls",
        (10, 100),
        (
            "crash/test_disk.py::test_a_slow_disk_delays_answers_and_nothing_else",
            "journal/test_faulty_journal.py::test_a_slow_disk_tells",
            "runtime/test_slow_disk.py::test_a_disk_that_stalls_holds_up_answers_and_nothing_else",
            "runtime/test_slow_disk.py::test_who_does_not_wait_any_longer_may_ask_again",
            "runtime/test_leaving.py::test_a_frame_that_is_full_makes_callers_wait",
        ),
        ("runtime/test_slow_disk.py::test_without_its_bound_what_waits_would_grow",),
    ),
    Row(
        14,
        "A reader that pins old pages; one whose process is gone",
        (10, 50),
        (
            "journal/test_readers.py",
            "journal/test_growth.py::test_the_map_grows_under_readers",
            "journal/test_contract.py::test_a_reader_of_the_log_sees_what_was_there",
            "journal/test_opening.py::test_a_child_that_outlives_its_parent_holds_nothing",
        ),
        ("journal/test_readers.py::test_a_reader_that_stays_does_pin_pages",),
    ),
    Row(
        15,
        "Two processes and one journal; a lock that was left behind",
        (12, 12),
        (
            "journal/test_opening.py::test_a_second_process_is_refused_by_name",
            "journal/test_opening.py::test_another_process_is_refused_by_any_name_of_it",
            "journal/test_opening.py::test_the_same_process_is_refused_too",
            "journal/test_opening.py::test_a_refused_second_opening_costs_the_first_nothing",
            "journal/test_opening.py::test_an_unclean_stop_is_no_error",
            "crash/test_closing.py::test_a_second_process_is_told_who_is_there",
            "runtime/test_leaving.py::test_a_second_runtime_over_one_journal_does_not_disturb_the_first",
            "callers/test_asyncio.py::test_opening_errors_are_raised_where_it_is_opened",
        ),
        ("journal/test_opening.py::test_without_a_lock_both_would_write",),
        "Network file systems, whose locks may mean nothing",
    ),
    Row(
        16,
        "A fork while a runtime is open",
        (6, 6),
        (
            "crash/test_closing.py::test_a_fork_harms_nothing",
            "crash/test_closing.py::test_a_fork_is_told_that_it_is_one",
            "callers/test_threads.py::test_a_fork_is_told_that_it_is_one",
            "journal/test_opening.py::test_a_forked_child_is_refused_and_the_parent_unharmed",
            "journal/test_opening.py::test_a_process_of_multiprocessing_is_refused",
        ),
        ("journal/test_opening.py::test_an_unguarded_child_is_noticed",),
    ),
    Row(
        17,
        "No descriptors, no memory, no threads",
        (15, 100),
        (
            "crash/test_scarce.py::test_without_descriptors_it_is_not_opened_and_says_so",
            "crash/test_scarce.py::test_who_is_open_needs_no_more_descriptors",
            "crash/test_scarce.py::test_without_threads_it_is_not_opened_and_leaves_nothing",
            "crash/test_scarce.py::test_an_activity_that_gets_no_thread_has_failed_and_is_tried_again",
            "journal/test_growth.py::test_a_map_that_cannot_grow_stops_the_journal",
            "runtime/test_poison.py::test_what_a_handler_does_to_the_process_is_its_messages_trouble",
        ),
        ("crash/test_scarce.py::test_descriptors_do_run_out",),
        "A process that the kernel ends for want of memory is a `kill -9`; allocations that fail one by one "
        "are not tried, nor a runtime that finds no thread when it closes",
    ),
    Row(
        18,
        "Bits flipped, pages zeroed or swapped, files cut short",
        (500, 20_000),
        (
            "journal/test_upkeep.py::test_a_check_survives_what_it_finds",
            "journal/test_opening.py::test_a_truncated_file_is_found_before_it_is_mapped",
            "journal/test_opening.py::test_a_lost_meta_page_is_damage",
            "journal/test_opening.py::test_a_log_with_a_hole_is_damage",
            "journal/test_log_files_left.py::test_a_flipped_byte_before_the_last_record_is_damage",
            "journal/test_log_files_left.py::test_a_file_that_is_missing_is_damage",
            "journal/test_log_files_left.py::test_two_frames_at_one_position_are_damage",
            "journal/test_upkeep.py::test_a_damaged_note_is_no_note",
            "runtime/test_damage.py",
        ),
        (
            "runtime/test_damage.py::test_there_is_something_to_damage",
            "journal/test_upkeep.py::test_a_sound_journal_has_no_findings",
        ),
        "A page may be damaged in a way that only LMDB's own reading meets, and then ends the process; "
        "`check` looks at the pages without LMDB for that reason, opening does not",
    ),
    Row(
        19,
        "Bytes that are well-formed and wrong",
        (1_000, 1_000_000),
        (
            "codec/test_untrusted.py",
            "codec/test_round_trip.py::test_damaged_bytes_are_refused_or_mean_something_else",
            "codec/test_round_trip.py::test_random_bytes_are_refused_or_mean_something",
            "codec/test_records.py",
            "runtime/test_damage.py::test_a_damaged_frame_is_named_and_the_journal_not_opened",
            "core/test_parts.py::test_a_snapshot_of_another_form_is_refused",
        ),
        (
            "codec/test_untrusted.py::test_what_is_well_formed_is_read",
            "codec/test_round_trip.py::test_what_is_stored_comes_back_as_it_was",
        ),
    ),
    Row(
        21,
        "The wall clock jumps: an hour, ten years, back to 1970",
        (60, 1_000),
        (
            "runtime/test_clock_jumps.py::test_whatever_the_clock_does_timers_fire_once_and_never_early",
            "runtime/test_clock_set_back.py",
            "runtime/test_wakes.py::test_the_clock_may_jump_ahead",
            "runtime/test_wakes.py::test_the_clock_may_jump_back",
            "runtime/test_wakes.py::test_what_is_armed_for_soon_after_a_jump_is_not_left_to_the_table",
            "core/test_parts.py::test_a_clock_that_goes_back_is_not_followed",
        ),
        (
            "runtime/test_clock_set_back.py::test_and_without_that_it_would_not",
            "runtime/test_clock_jumps.py::test_a_timer_that_rings_early_is_noticed",
        ),
    ),
    Row(
        22,
        "Very many timers due at once, after a night without a process",
        (2, 5),
        (
            "runtime/test_crowds.py::test_timers_of_a_night_fire_in_order_and_bounded_memory",
            "runtime/test_wakes.py::test_thousands_due_at_once_fire_once_in_order_and_in_slices",
            "runtime/test_wakes.py::test_reading_by_pages_misses_none_with_the_same_due_time",
        ),
        ("runtime/test_crowds.py::test_an_order_that_is_wrong_is_noticed",),
        "A change tries two thousand, a long proof a hundred thousand; a million was not tried",
    ),
    Row(
        23,
        "A message whose handler raises, never waits, recurses, or asks for too much memory",
        (30, 100),
        (
            "runtime/test_poison.py",
            "core/test_regressions.py::test_an_error_of_any_shape_parks_its_message",
            "core/test_regressions.py::test_an_error_without_a_text_parks_its_message",
            "core/test_regressions.py::test_a_loop_that_never_waits_is_reported",
            "core/test_regressions.py::test_a_loop_of_tasks_that_never_wait_is_reported",
            "core/test_parts.py::test_when_no_more_can_be_parked_the_mailbox_stops",
            "core/test_corners_of_faults.py",
            "runtime/test_damage.py::test_an_actor_that_killed_the_process_twice_is_set_aside",
        ),
        ("runtime/test_poison.py::test_one_that_was_not_set_aside_is_noticed",),
        "A loop that awaits nothing of actorflow's is told of, and holds its thread until somebody kills it",
    ),
    Row(
        24,
        "Bursts, full mailboxes, and a consumer that is slow",
        (15, 50),
        (
            "runtime/test_crowds.py::test_a_burst_is_taken_in_order_within_bounds",
            "runtime/test_leaving.py::test_a_full_mailbox_makes_callers_wait_before_they_are_admitted",
            "runtime/test_leaving.py::test_a_frame_that_is_full_makes_callers_wait",
            "runtime/test_leaving.py::test_those_who_wait_for_room_are_turned_away_when_it_ends",
            "runtime/test_post.py",
            "callers/test_asyncio.py::test_a_thousand_signals_at_once_arrive_once_each_and_in_order",
            "callers/test_asyncio.py::test_a_full_frame_makes_callers_wait_and_loses_nobody",
            "callers/test_threads.py::test_sixteen_threads_share_commits_and_lose_nothing",
            "core/test_regressions.py::test_many_waiting_signals_that_fail_are_drained_in_time",
        ),
        ("runtime/test_crowds.py::test_a_burst_out_of_order_is_noticed",),
    ),
    Row(
        25,
        "Payloads at a limit, below it and above; empty, deep, of strange text",
        (200, 200),
        (
            "codec/test_untrusted.py::test_what_is_refused_and_how",
            "codec/test_untrusted.py::test_what_is_just_within_the_bounds_is_read",
            "codec/test_untrusted.py::test_a_small_message_stays_small",
            "core/test_corners_of_limits.py",
            "core/test_parts.py::test_every_limit_is_a_typed_error_that_names_it",
            "journal/test_contract.py::test_keys_of_every_length",
            "journal/test_contract.py::test_keys_that_cannot_be_are_refused",
            "journal/test_contract.py::test_large_frames_are_kept",
            "codec/test_arguments.py",
            "runtime/test_sizes.py::test_up_to_the_limit_and_no_further",
        ),
        (
            "codec/test_untrusted.py::test_what_is_well_formed_is_read",
            "runtime/test_sizes.py::test_a_limit_that_is_off_by_one_is_noticed",
        ),
    ),
    Row(
        26,
        "Messages repeated, late, or with an id that means another",
        (500, 50_000),
        (
            "core/test_random_programs.py::test_what_came_to_nothing_leaves_no_trace",
            "runtime/test_histories.py::test_whatever_happens_the_oracle_holds",
            "runtime/test_leaving.py::test_an_id_means_one_message_behind_a_restart",
            "runtime/test_leaving.py::test_callbacks_are_answered_once_also_behind_a_restart",
            "runtime/test_damage.py::test_ids_are_let_go_of_in_the_order_of_their_answers",
            "core/test_traces_of_messages.py::test_trace_5_an_id_means_one_message_through_everything",
            "core/test_traces_of_messages.py::test_trace_5_an_answer_outlives_the_life_that_gave_it",
            "core/test_parts.py::test_ids_are_let_go_by_their_window_and_never_early",
            "runtime/test_ids_at_random.py::test_whatever_comes_again_an_id_is_one_message",
            "crash/test_killed.py::test_killed_at_any_moment",
        ),
        (
            "core/test_negative_controls.py::test_forgetting_ids_is_caught",
            "runtime/test_ids_at_random.py::test_ids_that_are_forgotten_are_noticed",
            "crash/test_controls.py::test_a_repetition_is_noticed",
        ),
    ),
    Row(
        27,
        "A caller gives up at any await of its call, or at any line",
        (300, 10_000),
        (
            "runtime/test_cancelled_anywhere.py::test_a_caller_may_give_up_at_every_checkpoint",
            "runtime/test_leaving.py::test_a_caller_that_is_cancelled_loses_and_repeats_nothing",
            "runtime/test_leaving.py::test_whoever_gives_up_waiting_for_an_answer_leaves_it_to_others",
            "callers/test_asyncio.py::test_a_cancelled_caller_can_repeat_itself",
            "callers/test_asyncio.py::test_cancelled_while_it_is_written_it_is_durable_all_the_same",
            "callers/test_asyncio.py::test_cancelled_while_it_waits_for_room_it_never_happens",
            "callers/test_threads.py::test_an_interrupt_at_any_line_leaves_the_runtime_whole",
            "callers/test_threads.py::test_within_bounds_the_waiting_and_not_the_message",
        ),
        (
            "runtime/test_cancelled_anywhere.py::test_a_call_that_is_done_by_halves_or_twice_is_noticed",
            "runtime/test_cancelled_anywhere.py::test_what_was_told_and_is_gone_is_noticed",
        ),
        "There is no wire yet; this is of callers in the same process",
    ),
    Row(
        28,
        "A runtime is cancelled at any checkpoint, also while it opens or closes",
        (500, 10_000),
        (
            "runtime/test_cancelled_anywhere.py::test_a_program_may_be_cancelled_at_every_checkpoint",
            "runtime/test_leaving.py::test_an_opening_that_is_cancelled_leaves_nothing_behind",
            "callers/test_asyncio.py::test_cancelled_while_it_opens_or_closes_it_lets_go_of_the_journal",
            "runtime/test_activities.py::test_closing_waits_no_longer_than_it_was_given",
        ),
        ("runtime/test_cancelled_anywhere.py::test_a_journal_that_stays_open_is_noticed",),
    ),
    Row(
        29,
        "An activity whose process dies before, during or after it; one that hangs, or is answered late",
        (80, 2_000),
        (
            "runtime/test_errands_at_random.py::test_whatever_happens_attempts_are_counted_and_outcomes_are_one",
            "runtime/test_errands_over_crashes.py",
            "runtime/test_activities.py",
            "runtime/test_changed_activities.py",
            "crash/test_business.py::test_a_firm_that_is_killed_balances",
        ),
        (
            "runtime/test_errands_at_random.py::test_without_the_rule_its_test_fails",
            "runtime/test_errands_at_random.py::test_the_random_programs_would_notice_as_well",
            "runtime/test_activities.py::test_without_the_rule_its_test_fails",
            "runtime/test_activities.py::test_without_a_time_out_nothing_would_end",
            "runtime/test_activities.py::test_an_early_start_would_be_noticed",
        ),
    ),
    Row(
        30,
        "Children whose parent ends, dies or continues; too many of them; all cancelled at once",
        (80, 5_000),
        (
            "runtime/test_histories.py::test_whatever_happens_the_oracle_holds",
            "runtime/test_post.py::test_children_answer_through_restarts",
            "runtime/test_post.py::test_children_end_as_their_policy_says",
            "runtime/test_post.py::test_a_child_whose_key_is_taken_fails_its_start",
            "runtime/test_terms.py",
            "core/test_corners_of_ending.py",
            "core/test_corners_of_limits.py::test_a_life_with_much_left_closes_in_turns_of_500",
            "core/test_traces_of_waiting.py::test_a_fan_out_is_bounded_and_tells_the_others",
            "domain/test_campaign.py",
        ),
        ("core/test_negative_controls.py",),
    ),
    Row(
        31,
        "SIGTERM and SIGINT, once and twice, in every phase",
        (24, 200),
        (
            "crash/test_closing.py::test_told_to_end_it_closes_in_good_order",
            "crash/test_closing.py::test_told_twice_it_ends_at_once",
            "crash/test_closing.py::test_interrupted_it_closes_in_good_order",
            "runtime/test_interrupts.py",
            "callers/test_asyncio.py::test_an_interrupt_closes_the_block",
            "callers/test_threads.py::test_an_interrupted_caller_leaves_the_runtime_whole",
            "core/test_corners_of_faults.py::test_an_interrupt_in_a_handler_stops_the_program_and_not_the_message",
        ),
        ("crash/test_controls.py",),
        "An output that nobody reads any more",
    ),
    Row(
        32,
        "The thread that writes, or the loop itself, falls apart",
        (5, 20),
        (
            "runtime/test_writer_dies.py::test_whatever_ends_the_writer_stops_the_runtime",
            "callers/test_asyncio.py::test_a_loop_that_falls_apart_is_told_to_everybody_who_waits",
            "callers/test_asyncio.py::test_a_journal_that_fails_is_told_to_everybody_who_waits",
            "callers/test_threads.py::test_a_journal_that_fails_is_told_to_everybody_who_waits",
        ),
        ("runtime/test_writer_dies.py::test_a_writer_that_dies_in_silence_is_noticed",),
    ),
    Row(
        33,
        "A handler that computes for a second",
        (4, 10),
        (
            "runtime/test_poison.py::test_a_handler_that_computes_delays_others_and_nothing_is_lost",
            "runtime/test_watchdog.py",
        ),
        ("runtime/test_watchdog.py::test_a_dog_that_sleeps_is_noticed",),
        "It is told of, and not stopped: handlers share one thread",
    ),
    Row(
        35,
        "Code that changed under what is recorded",
        (40, 40),
        (
            "core/test_traces_of_change.py",
            "core/test_corners_of_replay.py",
            "core/test_golden.py",
            "runtime/test_changed_activities.py",
            "codec/test_classes.py",
            "verify",
        ),
        ("core/test_negative_controls.py::test_effects_that_are_not_compared_are_caught",),
    ),
    Row(
        36,
        "Handlers that are not deterministic, in each way that we know",
        (30, 30),
        (
            "determinism/test_sources.py",
            "determinism/test_guard.py",
            "determinism/test_lint.py",
            "proofs/test_planted.py::test_what_is_planted_is_found",
        ),
        (
            "determinism/test_guard.py::test_a_good_handler_runs_in_silence",
            "determinism/test_lint.py::test_a_good_handler_has_no_findings",
            "proofs/test_planted.py::test_what_is_mended_passes",
        ),
        "The table of sources says which of them no net catches",
    ),
    Row(
        37,
        "Replay under another hash seed, in another folder, under a profiler",
        (10, 100),
        (
            "determinism/test_fingerprint.py",
            "core/test_golden.py",
            "core/test_parts.py::test_chance_is_the_same_for_ever",
        ),
        ("determinism/test_fingerprint.py::test_what_matters_changes_it",),
        "Other time zones and locales; other versions of Python than the one that runs the tests",
    ),
    Row(
        38,
        "Settings that must not matter: who shares a frame, when tables are written, who is in memory",
        (50, 2_000),
        (
            "runtime/test_histories.py::test_settings_that_must_not_matter_do_not",
            "core/test_random_programs.py::test_undoing_changes_nothing",
            "core/test_random_programs.py::test_the_cadence_of_bases_does_not_matter",
            "core/test_random_programs.py::test_passivation_does_not_matter",
            "core/test_random_programs.py::test_a_snapshot_at_any_quiet_place_and_the_tail_are_the_whole",
        ),
        ("core/test_negative_controls.py::test_a_snapshot_while_an_effect_is_pending_is_caught",),
    ),
    Row(
        39,
        "All of these mixed, at random, on simulated storage and time",
        (500, 50_000),
        (
            "runtime/test_histories.py::test_whatever_happens_the_oracle_holds",
            "runtime/test_errands_at_random.py::test_whatever_happens_attempts_are_counted_and_outcomes_are_one",
            "core/test_random_programs.py::test_every_prefix_of_the_journal_is_the_actor_as_it_was_then",
            "world/test_seeds.py",
        ),
        (
            "world/test_mistakes.py::test_a_broken_rule_is_noticed",
            "core/test_random_programs.py::test_the_programs_go_everywhere",
            "core/test_negative_controls.py",
            "runtime/test_errands_at_random.py::test_the_random_programs_would_notice_as_well",
        ),
        "A crash falls between two steps of a world; one within a turn is a kill -9 of row 2",
    ),
    Row(
        40,
        "The public calls against a model, in any order",
        (200, 20_000),
        ("journal/test_contract_at_random.py", "core/test_random_programs.py"),
        ("journal/test_faulty_journal.py::test_a_journal_that_lies_is_caught",),
        "Of journals and of one actor, not yet of a runtime and its handles",
    ),
    Row(
        41,
        "Many callers at once: is what each was told possible in one order?",
        (50, 2_000),
        ("runtime/test_one_order.py::test_what_callers_were_told_fits_one_order",),
        (
            "runtime/test_one_order.py::test_what_fits_no_order_is_noticed",
            "runtime/test_one_order.py::test_a_runtime_that_tells_too_early_is_noticed",
        ),
    ),
    Row(
        42,
        "A backup under load, brought back and gone on with",
        (20, 200),
        (
            "crash/test_restored.py::test_a_backup_under_load_is_a_moment_of_everything",
            "crash/test_restored.py::test_a_backup_while_a_log_file_is_begun_has_those_before_it",
            "journal/test_upkeep.py::test_a_backup_under_load_is_a_moment",
            "journal/test_log_files_beside.py::test_a_copy_of_a_busy_journal_is_a_moment",
            "journal/test_upkeep.py::test_a_backup_is_a_journal",
        ),
        ("crash/test_restored.py::test_a_backup_that_lacks_something_is_noticed",),
        "Nothing tells the world outside that an old backup was brought back",
    ),
    Row(
        43,
        "Long use: memory, descriptors, threads and files do not grow",
        (1, 1),
        ("crash/test_soak.py::test_what_is_used_for_long_does_not_grow",),
        ("crash/test_soak.py::test_what_leaks_is_noticed",),
        "Seconds at each change, minutes in a long proof; a day was not tried",
    ),
)

ABSENT: Final = {
    20: "Frames of a wire: there is none",
    34: "Stores of earlier releases: there are none; journals of earlier engines are kept, and replayed (35)",
    44: "Rights and endpoints: a runtime is a library, and has none",
    45: "Encrypted journals: there are none",
    46: "The same entity on Temporal: there is no such host",
    47: "Parts of the installation that are missing, beyond what `tests/packaging` tries",
}
"""Rows that concern what does not exist."""


def tests() -> list[str]:
    """All names of tests in the table."""
    return sorted({name for row in ROWS for name in row.tests})


def controls() -> list[str]:
    """All names of controls in the table."""
    return sorted({name for row in ROWS for name in row.controls})


def named(test: str, name: str) -> bool:
    """Whether a test is meant by a name of the table."""
    return test == name or test.startswith((f"{name}::", f"{name}/"))
