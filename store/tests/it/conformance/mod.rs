//! What every store must do, whatever is behind it. Each test gets fresh databases.

pub mod account;
pub mod audit;
pub mod basket;
pub mod belonging;
pub mod block;
pub mod comment;
pub mod content;
pub mod file;
pub mod follow;
pub mod found;
pub mod moderation;
pub mod order;
pub mod person;
pub mod product;
pub mod product_search;
pub mod reaction;
pub mod review;
pub mod search;
pub mod write_protocol;

/// Runs every test of the suite on the stores that `$open` makes: an async function that answers something with `stores()`, which lives as long
/// as the test.
macro_rules! conformance {
    ($open:path) => {
        $crate::conformance::conformance! { $open;
            write_protocol {
                every_database_answers_under_its_name, a_fenced_commit_leaves_nothing_behind, epochs_only_rise, a_fence_waits_for_commits_in_progress,
                a_version_that_moved_is_a_conflict, keys_without_rows_have_versions, a_used_idempotency_key_is_answered_by_its_record,
                touches_raise_versions_and_leave_effects, confirmed_effects_are_gone_and_their_ids_are_not_used_again,
                old_records_are_forgotten, a_commit_whose_caller_went_away_is_carried_out, an_incoherent_commit_is_refused,
            }
            person {
                a_person_is_read_as_written, names_and_addresses_are_taken_without_regard_to_case, a_refused_registration_leaves_nothing_behind,
                a_person_is_saved_version_by_version, skills_come_and_go, endorsements_are_counted, endorsers_are_paged_newest_first,
            }
            account {
                a_new_account_is_at_version_1, credentials_are_found_without_regard_to_case, sessions_open_and_close, expired_sessions_are_not_seen,
                an_inactive_account_is_not_there, sessions_say_where_they_were_opened, all_sessions_end_but_one, a_new_password_ends_what_the_old_one_opened,
                the_newest_reset_counts, errands_are_run_until_they_are_done, who_departs_leaves_an_empty_row,
            }
            follow {
                a_follow_changes_both, a_follow_that_is_so_already_changes_nothing, nobody_follows_who_is_not_there, friends_follow_each_other,
                pages_of_equal_instants_have_no_gaps, a_page_while_others_follow_has_no_gaps, fan_out_runs_through_all_followers,
                pulled_people_stay_pulled, counters_equal_rows,
            }
            block {
                a_block_hides_both_and_ends_their_follows, a_block_that_is_so_already_changes_nothing, nobody_follows_across_a_block,
                blocks_are_paged_newest_first, a_ban_is_known_and_ends_sessions,
            }
            audit {
                a_deed_is_logged_with_the_commit_or_not_at_all, other_databases_log_through_the_outbox,
                the_log_is_read_by_actor_and_target_newest_first,
            }
            search {
                people_are_found_as_they_are_meant, any_question_has_an_answer, what_people_change_is_found_as_it_is_now,
            }
            content {
                a_post_is_read_as_written, a_post_is_saved_version_by_version, deleted_posts_leave_every_list, timelines_are_paged_newest_first,
                many_authors_are_merged, public_posts_are_public_and_published,
            }
            comment {
                comments_are_paged_oldest_first, comments_come_and_go, a_deleted_comment_stands_while_it_is_answered,
            }
            belonging {
                a_persons_comments_and_reactions_are_found, what_no_owner_would_find_is_forgotten,
            }
            found {
                shares_are_counted_where_everyone_may_see_them, hashtags_find_what_everyone_may_see, trends_count_days_by_halves,
                search_finds_what_the_viewer_may_see, no_search_finds_what_a_change_does_not_name, no_query_is_an_error, timelines_are_as_their_viewers_may_see_them, bookmarks_come_and_go,
            }
            reaction {
                a_person_has_one_reaction, a_reaction_that_is_so_already_changes_nothing,
            }
            moderation {
                a_case_is_read_as_written, a_person_flags_a_thing_once_until_a_decision, so_many_flags_of_a_person_wait_at_most,
                the_queue_is_by_priority_and_ones_own_by_age, older_verdicts_are_not_heard, a_hidden_review_is_in_no_rating,
                a_hidden_comment_keeps_its_words_and_is_not_answered,
            }
            product {
                a_product_is_read_as_written, a_product_is_saved_version_by_version, an_order_takes_stock_or_is_not_made, orders_are_paged_newest_first,
                products_are_selected_as_asked, a_selection_skips, sellers_see_what_is_not_listed,
            }
            order {
                an_order_is_saved_version_by_version, a_cancelled_order_returns_its_pieces_once,
            }
            basket {
                a_cart_is_read_as_written, wishes_come_and_go, a_confirmed_checkout_takes_all_with_it, a_released_checkout_gives_all_back,
                nothing_is_set_aside_for_a_checkout_that_ended, what_is_not_set_aside_or_not_in_the_cart_is_not_ordered,
                overdue_checkouts_are_found_and_ended_ones_forgotten,
            }
            review {
                reviews_make_the_rating, one_person_reviews_a_product_once, votes_are_counted_once, purchases_are_what_orders_say,
                reviews_are_paged_newest_first, a_persons_reviews_and_votes_are_found,
            }
            file {
                a_file_is_read_as_written, a_file_is_saved_version_by_version, files_are_listed_newest_first, content_is_kept_as_long_as_a_file_has_it,
                what_is_not_for_everybody_any_more_is_to_be_forgotten, content_says_who_shows_it, nobody_stores_more_than_they_may, a_hidden_file_is_so_until_a_newer_verdict, all_nodes_sign_with_one_key,
            }
            product_search {
                words_are_found_whatever_their_case_and_accents, a_search_follows_its_products, what_fits_best_comes_first,
                a_search_is_paged_without_gaps, products_are_sorted_by_rating, hostile_texts_find_nothing_and_break_nothing,
            }
        }
    };
    ($open:path; $($module:ident { $($test:ident),* $(,)? })*) => {$(
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let opened = $open().await;
                    $crate::conformance::$module::$test(opened.stores()).await;
                }
            )*
        }
    )*};
}
pub(crate) use conformance;
