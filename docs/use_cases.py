"""The use cases of OCPP 2.1, A to S, and the tests that hold them: in frames, and where a car matters through the whole chain.

Numbers are those of public status lists of other stations; K23 to K26 are none of a station's: they place an energy management, and have no
requirements of their own. A test is `module::name` without `test_`: of `tests/ocpp_bridge`, or with a folder of `tests` before the module.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

NUMBERS: Final = {
    "A": 5,
    "B": 13,
    "C": 25,
    "D": 2,
    "E": 17,
    "F": 7,
    "G": 5,
    "H": 4,
    "I": 12,
    "J": 3,
    "K": 29,
    "L": 4,
    "M": 7,
    "N": 15,
    "O": 6,
    "P": 2,
    "Q": 12,
    "R": 5,
    "S": 4,
}
"""Functional block -> number of its last use case."""
OF_NONE: Final = frozenset({"K23", "K24", "K25", "K26"})
TABLE: Final = """
A01 another password | passwords::a_new_password_is_used_at_once_and_after_a_restart_and_told_to_nobody
A02 a certificate that the CSMS wants renewed | signing::a_certificate_for_cars_is_asked_for_signed_and_in_the_store_with_its_key
 networks::the_certificate_of_profile_3_rotates_and_the_old_one_is_shown_where_the_new_one_is_refused
A03 a certificate that the station renews | signing::a_certificate_is_renewed_before_it_ends_and_only_then
A04 security events | bridge::a_security_event_is_said_once_the_csms_listens customer::a_reset_and_a_clock_that_is_set_are_security_events
A05 a higher security profile | networks::an_upgrade_takes_what_is_below_out_of_the_order_and_outlives_the_process
 networks::only_with_leave_and_only_from_3_to_2_security_goes_down
B01 boot, accepted | bridge::nothing_but_BootNotification_is_said_before_the_csms_accepts
B02 boot, pending | availability::a_pending_station_answers_and_says_what_it_is_asked_for_and_nothing_else
B03 boot, rejected | availability::a_rejected_station_is_silent_until_it_may_ask_again
B04 offline without a car | availability::after_a_short_absence_only_what_has_changed_is_told
B05 SetVariables | device_model::a_value_says_why_it_is_not_taken
 device_model::what_was_set_survives_a_restart_and_what_is_no_longer_valid_is_told
B06 GetVariables | device_model::unknown_names_and_attributes_have_their_own_statuses bridge::variables_are_read_set_and_refused
B07 base reports | device_model::reports_of_a_base
B08 custom reports | device_model::reports_by_names_and_criteria
B09 another network profile | networks::a_profile_that_cannot_be_used_is_refused_with_the_reason
B10 on to another CSMS | networks::a_profile_is_used_after_a_reset_and_the_old_one_where_it_fails
 networks::a_network_profile_leads_to_another_csms_and_back_where_nobody_is
B11 Reset without a transaction | link::a_reset_boots_anew availability::one_evse_is_reset_by_itself
B12 Reset with one | availability::a_reset_when_idle_waits_for_the_car_and_takes_no_other
 availability::an_immediate_reset_ends_a_transaction_that_has_no_session_at_once
B13 Reset that transactions outlive | availability::a_transaction_resumes_through_a_reset_with_its_id
C01 a card | authorization_rules::c01_c04_c06_a_token_of_any_kind_is_asked_about_as_it_was_shown
 authorization_rules::c01_fr_26_a_token_that_no_car_comes_for_ends_after_its_time
C02 a start button | authorization_rules::c02_where_nobody_need_be_authorized_nobody_is_asked
C03 a credit card | authorization_rules::c05_fr_01_a_token_that_the_csms_made_is_not_asked_about_nor_kept
 payments::c18_a_payment_lets_the_car_charge_without_asking_and_bounds_its_cost
C04 a code | authorization_rules::c01_c04_c06_a_token_of_any_kind_is_asked_about_as_it_was_shown
C05 a transaction that the CSMS starts | authorization_rules::c05_fr_01_a_token_that_the_csms_made_is_not_asked_about_nor_kept
C06 a token of another kind | authorization_rules::c01_c04_c06_a_token_of_any_kind_is_asked_about_as_it_was_shown
C07 Plug and Charge | authorization_rules::c07_fr_13_to_17_each_verdict_of_the_csms_is_one_that_the_session_is_told
 plug_and_charge::a_contract_is_proved_by_hash_data_else_by_its_chain_if_the_csms_may_validate_it
 story::a_blocked_contract_is_refused_with_the_warning_of_the_standard
C08 external means in a session of ISO 15118 | story::eim_waits_for_a_remote_start_or_a_card
C09 a group of tokens | local_authorization::another_token_ends_it_where_it_is_of_the_group
C10 what the cache takes in | local_authorization::what_a_transaction_event_says_of_a_token_is_known_from_then_on
 authorization_rules::c10_fr_10_an_entry_holds_for_its_lifetime_since_the_csms_said_it_however_often_it_is_used
C11 ClearCache | local_authorization::a_cleared_cache_is_empty_after_a_kill_and_one_that_is_not_used_is_not_cleared
C12 a token of the cache | local_authorization::a_token_of_the_cache_charges_unasked_only_where_that_is_allowed
C13 a token of the list, offline | local_authorization::offline_the_list_decides_and_one_that_it_refuses_is_no_unknown_one
 authorization_rules::what_decides_without_the_csms
C14 a token of the list, online | local_authorization::a_token_of_the_list_charges_unasked_only_where_that_is_allowed
C15 an unknown token, offline | authorization_rules::c15_a_car_that_charged_unknown_is_judged_once_the_csms_is_back
C16 a master pass | authorization_rules::c16_fr_02_a_master_pass_ends_the_transactions_of_the_whole_station
C17 a prepaid card | limits::a_session_that_reaches_a_limit_ends_with_it_as_its_reason
C18 a payment terminal of the station | payments::c18_a_payment_lets_the_car_charge_without_asking_and_bounds_its_cost
C19 a payment given up before the transaction | payments::c19_a_payment_for_which_no_car_comes_is_given_up_and_the_terminal_hears_it
C20 a payment given up after its start | payments::c20_c21_a_settlement_waits_for_the_csms_over_a_kill_and_its_receipt_comes_back
C21 settlement | payments::c20_c21_a_settlement_waits_for_the_csms_over_a_kill_and_its_receipt_comes_back
 payments::our_csms_holds_an_EVSE_starts_by_a_payment_keeps_its_settlement_and_knows_companies
C22 a settlement that fails | payments::c22_a_settlement_that_failed_is_told_with_the_words_of_the_terminal
C23 more money for a transaction | payments::c23_more_money_is_more_charge
C24 a payment terminal elsewhere | payments::c24_a_payment_at_a_terminal_elsewhere_starts_by_the_csms_with_its_limit
C25 a payment by a web page | payments::an_EVSE_is_held_for_who_pays_by_a_web_page_until_its_time_is_over
 payments::who_has_paid_charges_at_once_and_nobody_is_asked_about_the_payment
D01 SendLocalList | local_authorization::a_list_has_its_version_and_is_changed_in_steps
 local_authorization::a_list_that_is_refused_changes_nothing
D02 GetLocalListVersion | local_authorization::a_list_has_its_version_and_is_changed_in_steps
E01 where a transaction begins | bridge::a_transaction_begins_and_ends_where_the_variables_say
E02 the cable first | story::a_bidirectional_session_by_prices_from_boot_to_goodbye
 use_cases::e02_e03_the_cable_or_the_token_may_come_first
E03 the token first | use_cases::e02_e03_the_cable_or_the_token_may_come_first
E04 begun offline | bridge::a_transaction_that_happened_offline_is_told_in_order_and_marked
E05 a token that is not accepted | authorization_rules::e05_fr_02_where_an_invalid_token_ends_its_transaction_the_car_is_asked_to_stop
 authorization_rules::e05_fr_03_up_to_the_energy_that_an_invalid_token_may_have_it_charges
E06 where it ends | bridge::a_transaction_begins_and_ends_where_the_variables_say
E07 ended by its token | local_authorization::the_same_token_ends_its_transaction_without_asking
E08 ended offline | bridge::a_transaction_that_happened_offline_is_told_in_order_and_marked
 link::a_csms_that_goes_and_comes_back_gets_what_it_missed_in_order
E09 the cable is out, the transaction ends | use_cases::e09_e10_a_cable_that_is_out_ends_a_transaction_or_suspends_it
E10 the cable is out, the transaction goes on | use_cases::e09_e10_a_cable_that_is_out_ends_a_transaction_or_suspends_it
E11 the connection is lost in it | bridge::a_lost_connection_is_no_attempt
 link::a_csms_that_goes_and_comes_back_gets_what_it_missed_in_order
E12 what happened offline is told | bridge::a_transaction_that_happened_offline_is_told_in_order_and_marked
 keeping::a_station_that_is_killed_anywhere_loses_and_doubles_nothing
E13 a message that the CSMS does not take | bridge::events_that_fail_are_sent_again_and_given_up_in_the_end
E14 GetTransactionStatus | bridge::availability_cost_status_cache_and_triggers
E15 the end of charging | story::a_bidirectional_session_by_prices_from_boot_to_goodbye
E16 limits of cost, energy, time, charge | limits::a_limit_is_told_once_when_it_holds
 limits::a_session_that_reaches_a_limit_ends_with_it_as_its_reason
E17 resumption | keeping::a_transaction_goes_on_after_a_restart_where_its_car_is_still_there
 keeping::a_transaction_whose_car_is_gone_ends_with_its_last_register_and_the_time_of_it
F01 remote start, the cable first | story::eim_waits_for_a_remote_start_or_a_card
 availability::a_remote_start_is_named_by_the_transaction_that_begins_with_it
F02 remote start first | bridge::a_remote_start_waits_for_its_car_and_not_for_ever
F03 remote stop | availability::a_paused_transaction_is_stopped_from_afar
F04 remote stop of a session of ISO 15118 | story::a_remote_stop_ends_the_session_first_and_the_transaction_then
F05 UnlockConnector | availability::a_connector_is_unlocked_only_where_no_car_is_served
 availability::what_the_hardware_says_of_its_lock_is_answered
F06 TriggerMessage | availability::every_message_there_is_can_be_triggered
F07 remote start with limits | payments::c24_a_payment_at_a_terminal_elsewhere_starts_by_the_csms_with_its_limit
G01 status | bridge::an_outlet_out_of_service_is_faulted_until_it_is_back
G02 Heartbeat | bridge::heartbeats_come_at_the_interval_of_the_csms
G03 availability of an EVSE | availability::an_evse_out_of_service_refuses_the_car_begins_no_transaction_and_says_why
 live::an_evse_that_the_csms_takes_out_of_service_lets_no_car_charge_and_both_hear_why
G04 availability of the station | availability::station_evse_and_connector_are_out_of_service_each_by_itself
G05 a connector that does not lock | use_cases::g05_a_connector_that_does_not_lock_gives_no_power_and_the_csms_hears_of_it
H01 ReserveNow | reservation::who_comes_too_late_is_told_why reservation::what_is_reserved_for_any_EVSE_is_held_once_there_is_no_choice
H02 CancelReservation | reservation::a_reservation_ends_with_its_time_or_by_the_csms
H03 a reservation that is used | reservation::a_reserved_EVSE_serves_whom_it_is_held_for_and_no_other
H04 a reservation that is not | reservation::a_reservation_by_which_a_car_was_called_that_did_not_come_is_over
 reservation::an_outlet_that_fails_gives_up_its_reservation_and_says_so
I01 the driver's tariff in words | fares::i01_i04_a_driver_reads_what_the_csms_has_for_him_or_what_it_left_for_when_it_has_nothing
I02 the running cost | cost::what_the_csms_says_of_the_cost_reaches_the_car_unless_it_is_no_cost
 fares::i02_i03_cost_is_shown_as_it_runs_and_when_it_is_final
I03 the final cost | fares::i02_i03_cost_is_shown_as_it_runs_and_when_it_is_final
I04 words where there is no tariff | fares::i01_i04_a_driver_reads_what_the_csms_has_for_him_or_what_it_left_for_when_it_has_nothing
I05 words where there is no cost | fares::i05_where_nobody_says_the_cost_the_words_for_that_are_shown
I06 other words in a transaction | fares::i06_words_that_change_are_shown_at_once
I07 SetDefaultTariff | cost::running_cost_goes_to_the_csms_and_to_the_car_at_its_interval cost::a_default_tariff_begins_with_its_validFrom
I08 a driver's tariff | cost::the_tariff_of_the_driver_goes_before_the_one_of_the_EVSE
 cost::a_driver_whose_tariff_cannot_be_used_is_refused_or_charged_by_the_default
I09 GetTariffs | cost::tariffs_are_cleared_by_name_or_all_and_a_transaction_goes_on_by_its_own
I10 ClearTariffs | cost::tariffs_are_cleared_by_name_or_all_and_a_transaction_goes_on_by_its_own
I11 ChangeTransactionTariff | cost::a_transaction_changes_its_tariff cost::a_tariff_that_a_transaction_cannot_change_to
I12 details of the cost | cost::Ended_bears_the_whole_bill account::energy_time_and_fee_with_taxes_worked_out_by_hand
J01 meter values outside of transactions | metering::outside_of_transactions_the_clock_sends_MeterValues_and_those_alone_where_asked
J02 meter values of transactions | metering::clock_aligned_values_come_at_the_clocks_edges_in_the_transaction
 sampling::the_first_reading_of_a_transaction_is_told_at_once_and_once
J03 receipts of cars | signed_values::with_receipts_the_car_confirms_a_reading_before_its_signed_value_is_told
K01 SetChargingProfile | profiles::a_profile_is_accepted_or_rejected_with_the_reason_code_of_the_specification
 profiles::the_evse_must_exist_and_a_tx_profile_names_one
K02 by the CSMS | modes::what_the_csms_says_is_what_flows use_cases::a_schedule_of_the_csms_is_what_a_scheduled_car_draws
K03 by the station | bridge::the_local_plan_keeps_the_profiles_of_the_station story::a_station_limit_lowers_what_the_evse_offers
K04 a limit that EVSEs share | profiles::a_limit_of_the_station_is_shared_by_those_who_draw
K05 a profile with a remote start | bridge::a_profile_that_comes_with_a_remote_start_is_the_cars bridge::a_profile_may_come_before_its_car
 use_cases::a_remote_start_with_a_profile_that_cannot_lead_is_refused
K06 offline in a transaction | bridge::a_lost_csms_does_not_freeze_a_discharge_for_ever profiles::a_profile_ends_with_its_time_offline
K07 offline at its start | use_cases::a_car_that_comes_while_the_csms_is_away_keeps_to_its_default
K08 GetCompositeSchedule | bridge::the_composite_is_told_within_what_the_evse_can_do modes::the_composite_is_told_with_its_mode_and_curves
K09 GetChargingProfiles | bridge::many_profiles_are_reported_in_parts modes::of_limits_from_elsewhere_each_holds
K10 ClearChargingProfile | profiles::only_what_is_not_of_the_csms_is_kept_from_being_cleared
 use_cases::a_profile_that_is_cleared_leads_no_more
K11 a limit of an energy management | modes::a_limit_from_elsewhere_holds_is_told_and_is_not_the_csms_s_to_clear
K12 a limit of another system | modes::limits_that_move_quickly_are_told_once_a_second_as_they_stand_then
K13 a limit that is released | modes::a_limit_from_elsewhere_holds_is_told_and_is_not_the_csms_s_to_clear
K14 limits of the station by others | modes::of_limits_from_elsewhere_each_holds
K15 a car of ISO 15118-2 | use_cases::k15_a_car_of_minus_2_tells_what_it_needs_and_charges_by_the_schedule_of_the_csms
K16 the CSMS renegotiates | live::a_csms_that_changes_its_mind_reaches_the_car_in_its_charge_loop
 story::a_new_schedule_in_scheduled_control_asks_the_car_to_renegotiate
K17 the car renegotiates | bridge::a_car_that_asks_anew_is_asked_for_anew_if_it_wants_something_else
K18 Scheduled control | use_cases::a_schedule_of_the_csms_is_what_a_scheduled_car_draws
 bridge::three_schedules_are_three_tuples_and_the_chosen_one_is_told
K19 Dynamic control | modes::what_the_csms_says_is_what_flows bridge::the_schedule_that_is_told_names_the_setpoint_it_follows
K20 needs that change | bridge::needs_that_change_in_the_loop_are_told_again_but_not_often
K21 priority by the CSMS | modes::priority_replaces_what_leads_while_it_is_active
K22 priority at the station | modes::priority_needs_its_profile_and_its_transaction
K27 local generation | modes::local_generation_adds_to_the_limit_and_passes_none_from_elsewhere
K28 dynamic profiles | profiles::a_dynamic_profile_takes_updates_and_expires_without bridge::a_dynamic_profile_is_pulled_at_its_interval
K29 dynamic limits from elsewhere | modes::limits_that_move_quickly_are_told_once_a_second_as_they_stand_then
L01 signed firmware | firmware_updates::each_status_of_an_update_is_told_in_order
 installing::a_station_installs_what_its_csms_names_and_its_manufacturer_signed
L02 unsigned firmware | firmware_updates::unsigned_firmware_is_taken_where_the_owner_says_so_alone
L03 firmware for others | elsewhere::what_is_for_a_local_controller_or_a_swapping_station_is_refused_with_the_reason
L04 firmware for others, taken back | elsewhere::what_is_for_a_local_controller_or_a_swapping_station_is_refused_with_the_reason
M01 a contract for a car | bridge::a_contract_is_fetched_for_the_car v2gkit/csms/certificates::a_contract_in_base64
 v2gkit/csms/certificates::a_car_of_minus_2_gets_and_renews_its_contract_by_frames
M02 a contract renewed | bridge::a_car_of_minus_2_that_renews_its_contract_asks_for_an_update_and_for_one_alone
 v2gkit/csms/certificates::a_car_of_minus_2_gets_and_renews_its_contract_by_frames
M03 GetInstalledCertificateIds | installed::a_root_for_cars_is_trusted_in_the_store_listed_and_deleted
 installed::no_certificate_of_a_type_is_not_found
M04 DeleteCertificate | installed::the_last_csms_root_and_what_is_in_use_stay
M05 InstallCertificate | installed::what_is_no_root_is_rejected_and_written_nowhere
M06 the status of the station's certificates | bridge::the_status_of_the_stations_own_certificates_is_fetched
 v2gkit/csms/certificates::a_station_that_reaches_only_its_csms_gets_what_it_staples
M07 the status of the car's certificates | vehicles::each_certificate_of_the_chain_is_asked_about_by_its_responder
 vehicles::by_a_real_csms_a_revoked_vehicle_is_refused_then_at_the_handshake
N01 GetLog | diagnostics::the_log_of_a_station_arrives_and_a_silent_server_costs_nothing
 diagnostics::a_log_is_sent_once_and_both_ends_are_told
N02 GetMonitoringReport | monitoring::reports_of_monitors
N03 SetMonitoringBase | monitoring::a_fault_of_an_outlet_is_told_by_the_monitor_that_nobody_can_clear
N04 SetVariableMonitoring | monitoring::a_threshold_tells_when_it_is_exceeded_and_when_that_is_over
 monitoring::what_cannot_be_monitored_is_refused_with_its_reason
N05 SetMonitoringLevel | monitoring::level_base_and_monitors_survive_a_restart
N06 ClearVariableMonitoring | monitoring::a_monitor_is_replaced_by_its_id_and_cleared_by_it
N07 alerts | monitoring::a_threshold_tells_when_it_is_exceeded_and_when_that_is_over
N08 periodic events | monitoring::monitors_by_the_clock
N09 CustomerInformation | customer::what_is_known_of_a_token_is_told_in_pages
N10 CustomerInformation, cleared | customer::what_is_forgotten_is_gone_after_a_kill_too
N11 a stream | monitoring::a_stream_is_opened_and_its_values_come_in_bundles
N12 GetPeriodicEventStream | monitoring::a_stream_is_opened_and_its_values_come_in_bundles
N13 a stream is closed | monitoring::a_stream_is_told_at_another_pace_and_closed_with_its_monitor
N14 AdjustPeriodicEventStream | monitoring::a_stream_is_told_at_another_pace_and_closed_with_its_monitor
N15 values of a stream | monitoring::a_stream_is_opened_and_its_values_come_in_bundles
 v2gkit/csms/store::the_stream_of_a_station_arrives_over_its_socket
O01 SetDisplayMessage | display::whoever_has_a_display_reads_it_and_each_change_is_noted_once display::what_is_no_text_is_not_shown
O02 a message of a transaction | display::a_message_of_a_transaction_is_shown_to_it_and_ends_with_it
O03 GetDisplayMessages, all | display::messages_are_bounded_and_are_told_in_pages
O04 GetDisplayMessages, some | display::messages_are_bounded_and_are_told_in_pages
O05 ClearDisplayMessage | display::the_front_goes_before_the_rest_and_the_newest_front_before_the_front
O06 a message replaced | display::messages_survive_a_kill_in_their_order
P01 data to the station | bridge::data_of_a_vendor_is_known_to_be_unknown
P02 data to the CSMS | use_cases::p02_a_csms_that_knows_no_vendor_says_so
Q01 leave to discharge | bridge::discharging_needs_the_leave_of_the_csms bridge::an_energy_transfer_that_is_refused_ends_the_session
Q02 charging alone, then leave | leave::leave_that_is_granted_brings_the_car_to_the_bidirectional_service
 bridge::leave_to_discharge_may_come_later
Q03 a schedule of setpoints | use_cases::a_schedule_of_the_csms_is_what_a_scheduled_car_draws
 story::a_bidirectional_session_by_prices_from_boot_to_goodbye
Q04 dynamic setpoints | modes::what_the_csms_says_is_what_flows story::a_setpoint_of_the_csms_reaches_a_car_in_dynamic_control_at_once
Q05 setpoints from elsewhere, by a profile of the CSMS | modes::an_energy_management_sets_the_power_within_the_limits_of_the_csms
Q06 setpoints from elsewhere, by limits from there | modes::an_energy_management_sets_the_power_within_the_limits_of_the_csms
Q07 frequency by the CSMS | modes::what_the_csms_says_is_what_flows
Q08 frequency by the station | modes::a_car_follows_the_frequency_by_the_curve_of_the_csms
 modes::a_signal_of_the_csms_moves_the_cars_that_have_a_curve_for_it
Q09 load balancing | modes::a_car_balances_the_load_at_the_upstream_meter modes::a_band_is_kept_and_gone_back_into
Q10 idle | modes::what_the_csms_says_is_what_flows profiles::a_profile_is_accepted_or_rejected_with_the_reason_code_of_the_specification
Q11 offline, discharging goes on | use_cases::a_discharge_ends_with_its_time_offline_and_resumes_unless_it_is_invalid
Q12 back online | use_cases::a_discharge_ends_with_its_time_offline_and_resumes_unless_it_is_invalid
R01 an inverter in the station | der::at_direct_current_what_the_chargers_inverter_follows_is_supported_and_told
R02 an inverter in the car | der_chain::a_limit_that_leaves_the_csms_arrives_in_the_loop_of_the_car_and_in_its_meter
 der_chain::the_rating_of_the_cars_inverter_is_told_with_its_needs
R03 inverters in both | der::modes_that_reach_a_car_are_in_the_device_model_and_others_are_not_supported
R04 DER controls | der::a_control_that_breaks_a_rule_or_cannot_be_told_to_a_car_is_rejected_and_keeps_nothing
 der::a_scheduled_control_starts_and_ends_in_time_and_the_default_holds_after_it
 der_chain::var_and_curves_reach_the_inverter_which_follows_them
R05 alarms | der::alarms_of_the_car_are_told_when_they_begin_and_when_they_end der_chain::alarms_of_the_inverter_reach_the_csms
S01 a battery swap, authorized at the station | elsewhere::our_csms_hears_of_batteries_and_of_firmware_that_others_publish
S02 a battery swap, asked for from afar | elsewhere::what_is_for_a_local_controller_or_a_swapping_station_is_refused_with_the_reason
S03 batteries in and out | elsewhere::our_csms_hears_of_batteries_and_of_firmware_that_others_publish
S04 charging of batteries | elsewhere::what_is_for_a_local_controller_or_a_swapping_station_is_refused_with_the_reason
"""


class UseCase(NamedTuple):
    """A use case and its tests, each as `tests/…/test_module.py::test_name`."""

    number: str
    title: str
    tests: tuple[str, ...]


def use_cases() -> Iterable[UseCase]:
    """Every row of the table."""
    for row in TABLE.strip().replace("\n ", " ").splitlines():
        said, _, tests = row.partition(" | ")
        number, _, title = said.partition(" ")
        yield UseCase(number, title, tuple(map(_named, tests.split())))


def wanted() -> set[str]:
    """The numbers that must have a row."""
    return {f"{block}{number:02}" for block, last in NUMBERS.items() for number in range(1, last + 1)} - OF_NONE


def _named(test: str) -> str:
    module, _, name = test.partition("::")
    folder, _, module = module.rpartition("/")
    return f"tests/{folder or 'ocpp_bridge'}/test_{module}.py::test_{name}"
