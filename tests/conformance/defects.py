"""Which tests hold each defect that was seen in other stations and cars: the number in a list of them, and who shows that it is not ours.

`test_cases.py` holds this table to the tests and, where it is at hand, to the list.
"""

# number: `file below tests::test` of everybody who would see it here
HELD: dict[int, tuple[str, ...]] = {
    1: ("secc/test_services.py::test_the_car_ranks_by_priority_not_by_place",),
    2: ("secc/test_services.py::test_without_tls_13_and_both_certificates_nothing_of_20_is_spoken",),
    3: ("secc/test_services.py::test_without_tls_13_and_both_certificates_nothing_of_20_is_spoken",),
    4: ("v2g/session/test_v2gtp.py::test_half_a_header_decides_nothing",),
    5: ("secc/test_services.py::test_a_protocol_without_a_service_is_not_taken",),
    6: ("secc/test_services.py::test_the_answer_names_the_entry_that_was_taken",),
    7: ("evcc/test_session.py::test_the_protocol_of_the_answer_is_run", "evcc/test_session.py::test_E_SAP_wrong_answers"),
    8: ("evcc/test_session.py::test_E_SAP_01_and_10_what_is_offered",),
    9: ("evcc/test_session.py::test_E_SAP_01_and_10_what_is_offered", "v2g/session/test_sdp.py::test_a_car_does_not_connect_to_anything"),
    10: ("v2g/session/test_sdp.py::test_a_station_answers_with_what_it_has",),
    11: (
        "v2g/session/test_transport.py::test_garbage_instead_of_a_hello_is_named",
        "secc/test_server.py::test_nonsense_on_the_port_costs_nobody_a_session",
        "v2g/session/test_tasks.py::test_whatever_ends_a_task_it_begins_again_and_is_said",
    ),
    12: ("v2g/session/test_tls_station.py::test_the_certificate_request_names_roots_and_schemes_and_nothing_else",),
    13: (
        "v2g/session/test_tls_station.py::test_the_certificate_request_names_roots_and_schemes_and_nothing_else",
        "v2g/session/test_judged_time.py::test_the_roots_of_a_directory_are_those_that_its_station_names",
    ),
    14: ("v2g/session/test_tls_station.py::test_the_certificate_request_names_roots_and_schemes_and_nothing_else",),
    15: ("v2g/session/test_tls_station.py::test_unsound_cars_are_refused_with_an_alert_and_the_next_one_is_served",),
    16: ("v2g/session/test_tls_station.py::test_the_chain_follows_the_roots_that_the_car_names",),
    19: (
        "secc/test_trust.py::test_a_vehicle_is_let_in_and_nobody_else",
        "v2g/session/test_tls_station.py::test_unsound_cars_are_refused_with_an_alert_and_the_next_one_is_served",
    ),
    21: ("v2g/session/test_tls_car.py::test_a_foreign_station_is_met", "pki/test_issue.py::test_the_vehicle_is_named_by_cn_and_o_alone"),
    22: ("pki/test_issue.py::test_every_certificate_says_what_its_row_says",),
    23: (
        "v2g/session/test_tls_station.py::test_chains_broken_on_purpose_get_the_verdict_they_deserve",
        "v2g/session/test_tls_car.py::test_stations_broken_on_purpose_get_the_verdict_they_deserve",
    ),
    24: (
        "pki/test_store.py::test_a_chain_is_served_in_order_however_the_file_has_it",
        "v2g/session/test_tls_station.py::test_sound_cars_complete",
    ),
    26: ("v2g/session/test_tls_station.py::test_one_port_serves_both_generations",),
    27: (
        "secc/test_order.py::test_a_foreign_session_id_is_told_so_before_anything_else",
        "secc/test_order.py::test_a_short_session_id_is_no_session",
    ),
    29: (
        "conformance/test_s_cases.py::test_s_ssu_02_ids_are_drawn_whole_and_none_comes_twice",
        "conformance/test_s_cases.py::test_s_aus_03_challenges_are_drawn_whole_and_none_comes_twice",
    ),
    30: ("conformance/test_s_cases.py::test_s_ssu_02_ids_are_drawn_whole_and_none_comes_twice",),
    31: ("secc/test_order.py::test_what_has_no_row_is_refused_by_its_own_response_and_ends_the_session",),
    32: ("secc/test_authorization.py::test_a_refusal_out_of_order_hands_out_no_challenge",),
    33: ("evcc/test_session.py::test_E_a_FAILED_ends_the_session_in_every_state",),
    34: ("evcc/test_session.py::test_E_ongoing_for_ever", "conformance/test_e_aut.py::test_e_aut_04_a_car_stops_polling_after_a_minute"),
    35: (
        "secc/test_authorization.py::test_eim_refused_is_a_finished_warning_and_the_car_may_try_again",
        "evcc/test_session.py::test_E_AUT_05_a_refusal_is_no_authorization",
    ),
    36: (
        "secc/test_power.py::test_precharge_polls_until_the_car_is_done",
        "secc/test_power.py::test_a_car_that_is_not_ready_polls",
        "secc/test_safety.py::test_no_step_is_polled_for_ever",
    ),
    37: (
        "secc/test_order.py::test_silence_ends_the_session_when_the_sequence_timer_says_so",
        "secc/test_order.py::test_an_outlet_that_may_be_live_is_opened_whenever_a_session_breaks",
    ),
    38: ("secc/test_order.py::test_silence_ends_the_session_when_the_sequence_timer_says_so",),
    39: ("evcc/test_session.py::test_E_LOP_01_two_thousand_loops_in_step",),
    40: ("evcc/test_session.py::test_E_END_04_the_message_timeout_in_every_state",),
    41: (
        "secc/test_order.py::test_silence_ends_the_session_when_the_sequence_timer_says_so",
        "evcc/test_session.py::test_E_END_04_the_message_timeout_in_every_state",
    ),
    43: ("secc/test_authorization.py::test_eim_refused_is_a_finished_warning_and_the_car_may_try_again",),
    45: ("conformance/test_e_aut.py::test_e_aut_01_a_car_takes_what_it_has_in_either_order",),
    46: ("secc/test_authorization.py::test_with_contracts_among_the_ways_the_mode_is_pnc_with_a_challenge_of_its_own",),
    47: ("conformance/test_e_aut.py::test_e_aut_02_a_service_that_the_car_has_not",),
    48: ("pki/test_signature.py::test_both_grammars_verify_on_every_curve",),
    49: ("pki/test_signature.py::test_exactly_one_transform_is_sent", "pki/test_signature.py::test_transforms_may_be_absent"),
    50: (
        "pki/test_signature.py::test_the_suite_of_minus_2_is_a_downgrade_in_minus_20",
        "conformance/test_s_pnc.py::test_s_pnc_09_a_contract_of_minus_2_signs_nothing_here",
    ),
    51: (
        "secc/test_authorization.py::test_a_certificate_of_garbage_is_refused_and_nothing_breaks",
        "conformance/test_s_pnc.py::test_faults",
    ),
    52: ("secc/test_authorization.py::test_a_certificate_of_garbage_is_refused_and_nothing_breaks",),
    53: (
        "secc/test_authorization.py::test_an_installation_that_was_not_offered_is_out_of_sequence",
        "secc/test_order.py::test_what_has_no_row_is_refused_by_its_own_response_and_ends_the_session",
    ),
    54: (
        "secc/test_authorization.py::test_an_installation_may_come_framed_like_the_old_generation_and_is_told",
        "conformance/test_e_cases.py::test_each_request_of_a_car_has_the_payload_type_of_its_set",
    ),
    55: ("evcc/test_session.py::test_nothing_is_signed_without_a_contract_or_with_EIM",),
    56: ("v2g/exi/test_facets.py::test_every_facet_of_every_field",),
    57: ("v2g/session/test_limits.py::test_four_references_are_a_signature", "pki/test_signature.py::test_four_elements_in_one_signature"),
    58: (
        "secc/test_services.py::test_everything_of_the_protocol_is_offered_to_a_car_that_does_not_filter",
        "conformance/test_s_cases.py::test_s_lop_11_a_state_of_charge_is_shown_or_not",
    ),
    59: ("secc/test_services.py::test_a_filter_never_leaves_the_energy_services_empty",),
    60: (
        "secc/test_services.py::test_a_selection_holds_only_with_what_was_shown",
        "secc/test_services.py::test_a_service_that_was_not_offered_has_no_detail",
    ),
    61: ("evcc/test_session.py::test_ranking_is_the_cars_own", "evcc/test_session.py::test_E_SVC_02_the_other_energy_type"),
    62: (
        "secc/test_parameters.py::test_plain_parameters_under_a_bidirectional_service_and_the_reverse_are_wrong",
        "evcc/test_pair.py::test_every_combination",
    ),
    63: (
        "secc/test_loops.py::test_the_answer_is_of_the_kind_of_the_request",
        "secc/test_schedule.py::test_another_control_mode_than_was_selected_ends_the_session",
    ),
    64: ("secc/test_loops.py::test_the_first_answer_shows_the_meter_and_every_one_that_is_asked",),
    65: ("conformance/test_e_cases.py::test_a_car_asks_for_the_meter_as_its_driver_wants",),
    67: (
        "secc/test_deviations.py::test_a_schedule_always_carries_a_price",
        "evcc/test_plan.py::test_what_is_offered_without_a_price_is_followed",
    ),
    68: (
        "secc/test_loops.py::test_limits_fall_with_the_outlet_and_never_rise_above_what_was_announced",
        "evcc/test_session.py::test_E_LOP_04_a_lowered_limit_is_followed",
    ),
    69: ("secc/test_power.py::test_the_answer_to_start_waits_for_the_contactor",),
    70: (
        "secc/test_power.py::test_a_contactor_that_does_not_close_is_an_error_in_time",
        "secc/test_loops.py::test_a_contactor_that_opens_under_power_ends_the_session",
    ),
    71: ("secc/test_services.py::test_everything_of_the_protocol_is_offered_to_a_car_that_does_not_filter",),
    72: ("secc/test_stop.py::test_the_car_that_paused_goes_on_with_its_parameters",),
    73: ("secc/test_stop.py::test_another_car_gets_a_new_session_and_must_authorize",),
    74: (
        "evcc/test_pair.py::test_a_paused_session_is_joined_with_parameters_first",
        "secc/test_stop.py::test_a_resumed_car_is_not_authorized_again",
    ),
    75: ("evcc/test_session.py::test_E_LOP_06_service_renegotiation",),
    76: (
        "evcc/test_session.py::test_E_LOP_06_service_renegotiation",
        "evcc/test_pair.py::test_a_paused_session_is_joined_with_parameters_first",
    ),
    77: (
        "secc/test_stop.py::test_a_renegotiation_measures_the_isolation_again",
        "secc/test_output.py::test_no_voltage_of_the_loop_reaches_the_hardware_by_way_of_a_renegotiation",
    ),
    80: ("v2g/exi/test_dialects.py::test_document_order",),
    81: ("v2g/exi/test_round_trips.py::test_document",),
    82: ("v2g/exi/test_grammar.py::test_required_copies_are_forced",),
    83: ("pki/test_signature.py::test_transforms_may_be_absent",),
    84: ("v2gkit/cli/test_exi.py::test_what_fits_several_sets_is_called_a_guess",),
    85: ("v2g/session/test_trace.py::test_a_frame_is_kept_whole_and_can_be_decoded_again",),
    86: ("v2gkit/cli/test_secc.py::test_an_unknown_key_in_the_file_is_named",),
    87: (
        "secc/test_order.py::test_a_car_that_leaves_without_a_word_is_a_lost_connection",
        "v2gkit/cli/test_secc.py::test_a_signal_ends_it_well",
    ),
    90: ("interop/test_sessions.py::test_plug_and_charge_back_to_the_grid",),
}  # fmt: skip

# what is neither a station's nor a car's of this standard, or is not built, and why
NOT_OURS: dict[int, str] = {
    17: "one staple of several: the TLS library staples that of the leaf, docs/limits.md",
    18: "as 17",
    20: "TLS of ISO 15118-2, which no station here speaks",
    25: "TLS of ISO 15118-2, which no station here speaks",
    28: "a session of ISO 15118-2: 27 is the same in this one",
    42: "the times of ISO 15118-2",
    44: "the authorization of ISO 15118-2: 43 is the rule of this one",
    66: "the metering receipt of ISO 15118-2: S-MTR-01 is the confirmation of this one",
    78: "withdrawn, and of ISO 15118-2",
    79: "a paused session of ISO 15118-2",
    88: "neither station nor car reads its standard input",
    89: "about a program of tests",
}
