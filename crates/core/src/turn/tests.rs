//! `next_step` as a table: what stands in the transcript, and what follows.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::*;
use crate::{
    action::Outcome,
    clock::Clock,
    conversation::Message,
    id::{ConversationId, EntryId},
};

/// A transcript that is written like a play.
struct Play {
    clock: Clock,
    conversation: ConversationId,
    entries: Vec<Entry>,
    calls: Vec<Call>,
}

impl Play {
    fn new() -> Self {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let conversation = ConversationId::new(&clock);
        Self {
            clock,
            conversation,
            entries: Vec::new(),
            calls: Vec::new(),
        }
    }

    fn then(mut self, body: Body) -> Self {
        let number = self.entries.len().try_into().unwrap();
        self.entries.push(Entry {
            id: EntryId::new(&self.clock),
            conversation: self.conversation,
            number,
            added_at: self.clock.now(),
            body,
        });
        self
    }

    fn says(self, by: Author) -> Self {
        let message = Message {
            by,
            text: "…".to_owned(),
            citations: vec![],
            client_id: None,
            session: None,
        };
        self.then(Body::Message(message))
    }

    fn visitor(self) -> Self {
        self.says(Author::Visitor)
    }

    fn agent(self) -> Self {
        self.says(Author::Agent)
    }

    fn asks(mut self, action: &str) -> Self {
        let call = Call {
            id: CallId::new(&self.clock),
            action: action.to_owned(),
            arguments: Map::new(),
        };
        self.calls.push(call.clone());
        self.then(Body::CallAsked(call))
    }

    fn starts(self) -> Self {
        let call = self.last_call();
        self.then(Body::CallStarted {
            call: call.id,
            action: call.action,
            label: String::new(),
            details: vec![],
        })
    }

    fn finishes(self) -> Self {
        let call = self.last_call();
        self.then(Body::CallFinished {
            call: call.id,
            action: call.action,
            label: String::new(),
            outcome: Outcome::Succeeded(Value::Null),
        })
    }

    fn status(self, status: Status) -> Self {
        self.then(Body::Status(status))
    }

    fn last_call(&self) -> Call {
        self.calls.last().unwrap().clone()
    }

    /// What follows for a verified visitor.
    #[track_caller]
    fn leads_to(self, expected: Step<'_>) {
        self.leads_for(Grant::Alive(verified()), expected);
    }

    #[track_caller]
    fn leads_for(self, grant: Grant, expected: Step<'_>) {
        let transcript = Transcript::new(self.entries);

        assert_eq!(next_step(&transcript, &rules(), grant), expected);
    }
}

/// Somebody the site vouches for, who logged in a minute ago.
fn verified() -> Standing {
    let now = Timestamp::UNIX_EPOCH;
    Standing::verified(Some(now - SignedDuration::from_mins(1)), now)
}

/// `look` may be repeated, `pay` may not; both want a verified visitor. `order`
/// wants a proven address, `close` a login of the last five minutes.
fn rules() -> Rules {
    let needs = |requires, safe_to_repeat| ActionRule {
        requires,
        safe_to_repeat,
        changes: !safe_to_repeat,
    };
    let rule = |safe_to_repeat| needs(Requires::Verified, safe_to_repeat);
    let within = SignedDuration::from_mins(5);
    Rules {
        max_model_replies: 2,
        max_calls: 3,
        actions: [
            ("look".to_owned(), rule(true)),
            ("pay".to_owned(), rule(false)),
            ("order".to_owned(), needs(Requires::Code, true)),
            ("close".to_owned(), needs(Requires::Fresh { within }, false)),
        ]
        .into(),
    }
}

#[test]
fn an_empty_conversation_has_nothing_to_do() {
    Play::new().leads_to(Step::Done);
}

#[test]
fn a_message_is_answered_by_the_model() {
    Play::new().visitor().leads_to(Step::CallModel);
    Play::new()
        .visitor()
        .agent()
        .visitor()
        .leads_to(Step::CallModel);
}

#[test]
fn an_answer_ends_the_turn() {
    Play::new().visitor().agent().leads_to(Step::Done);
    Play::new()
        .visitor()
        .says(Author::Operator)
        .leads_to(Step::Done);
}

#[test]
fn a_call_that_was_asked_for_is_run_and_its_result_goes_back_to_the_model() {
    let play = Play::new().visitor().asks("pay");
    let call = play.last_call();
    play.leads_to(Step::RunCalls(vec![&call]));

    Play::new()
        .visitor()
        .asks("pay")
        .starts()
        .finishes()
        .leads_to(Step::CallModel);
}

#[test]
fn words_before_a_call_do_not_end_the_turn() {
    let play = Play::new().visitor().agent().asks("look");
    let call = play.last_call();

    play.leads_to(Step::RunCalls(vec![&call]));
}

#[test]
fn g5_a_call_that_was_started_and_never_finished_is_not_repeated() {
    let play = Play::new()
        .visitor()
        .asks("pay")
        .starts()
        .status(Status::Resumed);
    let call = play.last_call();

    play.leads_to(Step::GiveUpOn(&call));
}

#[test]
fn g5_a_call_of_an_idempotent_action_is_repeated() {
    let play = Play::new()
        .visitor()
        .asks("look")
        .starts()
        .status(Status::Resumed);
    let call = play.last_call();

    play.leads_to(Step::RunCalls(vec![&call]));
}

#[test]
fn a_lost_call_of_an_earlier_turn_gets_its_result_too() {
    let play = Play::new().visitor().asks("pay").starts().visitor();
    let call = play.last_call();

    play.leads_to(Step::GiveUpOn(&call));
}

#[test]
fn a1_a_call_needs_the_assurance_its_action_asks_for() {
    for grant in [Standing::ANONYMOUS, Standing::CODE] {
        let play = Play::new().visitor().asks("look");
        let call = play.last_call();

        play.leads_for(
            Grant::Alive(grant),
            Step::Refuse(&call, Refused::AssuranceTooLow),
        );
    }
}

#[test]
fn t10_a_member_of_staff_who_acts_as_the_visitor_may_look_and_change_nothing() {
    let staff = || Grant::Alive(verified().acted_in(true));

    let play = Play::new().visitor().asks("look");
    let look = play.last_call();
    play.leads_for(staff(), Step::RunCalls(vec![&look]));
    let play = Play::new().visitor().asks("look").asks("pay");
    let pay = play.last_call();
    play.leads_for(staff(), Step::Refuse(&pay, Refused::ActorMayNot));
    let play = Play::new().visitor().asks("pay");
    let pay = play.last_call();
    play.leads_for(
        Grant::Alive(verified().acted_in(false)),
        Step::RunCalls(vec![&pay]),
    );
}

#[test]
fn a2_a_code_opens_what_asks_for_a_code_and_no_more() {
    let play = Play::new().visitor().asks("order");
    let call = play.last_call();
    play.leads_for(Grant::Alive(Standing::CODE), Step::RunCalls(vec![&call]));

    let play = Play::new().visitor().asks("order");
    let call = play.last_call();
    play.leads_for(
        Grant::Alive(Standing::ANONYMOUS),
        Step::Refuse(&call, Refused::AssuranceTooLow),
    );
}

#[test]
fn a1_what_asks_for_a_fresh_login_is_run_for_no_older_one() {
    let now = Timestamp::UNIX_EPOCH;
    for (minutes_ago, is_run) in [(1, true), (5, true), (6, false), (-1, false)] {
        let play = Play::new().visitor().asks("close");
        let call = play.last_call();
        let at = now - SignedDuration::from_mins(minutes_ago);

        play.leads_for(
            Grant::Alive(Standing::verified(Some(at), now)),
            if is_run {
                Step::RunCalls(vec![&call])
            } else {
                Step::Refuse(&call, Refused::AssuranceTooLow)
            },
        );
    }
}

#[test]
fn a1_nothing_is_done_for_a_session_that_has_ended() {
    let closed = Step::Close(Status::Cancelled);
    Play::new().visitor().leads_for(Grant::Ended, closed);

    let play = Play::new().visitor().asks("look");
    let call = play.last_call();
    play.leads_for(Grant::Ended, Step::Refuse(&call, Refused::TurnClosed));
}

#[test]
fn a1_a_call_that_was_left_open_is_never_run_in_a_later_turn() {
    for action in ["look", "pay"] {
        let play = Play::new().visitor().asks(action).visitor();
        let call = play.last_call();

        play.leads_to(Step::Refuse(&call, Refused::TurnClosed));
    }
}

#[test]
fn a_call_of_an_action_that_is_not_offered_is_refused() {
    let play = Play::new().visitor().asks("format_disk");
    let call = play.last_call();

    play.leads_to(Step::Refuse(&call, Refused::NoSuchAction));
}

#[test]
fn g6_a_turn_stops_at_the_limit_of_replies() {
    let round = |play: Play| play.asks("look").starts().finishes();

    round(Play::new().visitor()).leads_to(Step::CallModel);
    round(round(Play::new().visitor())).leads_to(Step::Close(Status::GaveUp));
}

#[test]
fn g6_a_turn_stops_at_the_limit_of_calls_and_runs_none_of_them() {
    let mut play = Play::new().visitor();
    for _ in 0..4 {
        play = play.asks("look");
    }
    let first = play.calls[0].clone();

    play.leads_to(Step::Refuse(&first, Refused::TurnClosed));

    let mut play = Play::new().visitor();
    for _ in 0..4 {
        play = play.asks("look");
    }
    for call in play.calls.clone() {
        play = play.then(Body::CallFinished {
            call: call.id,
            action: call.action,
            label: String::new(),
            outcome: Outcome::Refused(Refused::TurnClosed),
        });
    }
    play.leads_to(Step::Close(Status::GaveUp));
}

#[test]
fn r3_a_turn_is_resumed_once_and_closed_the_second_time() {
    Play::new()
        .visitor()
        .status(Status::Resumed)
        .leads_to(Step::CallModel);
    Play::new()
        .visitor()
        .status(Status::Resumed)
        .status(Status::Resumed)
        .leads_to(Step::Close(Status::Interrupted));
}

#[test]
fn a_closed_turn_stays_closed() {
    for status in [
        Status::Interrupted,
        Status::GaveUp,
        Status::Cancelled,
        Status::Stopped,
        Status::Closed,
    ] {
        Play::new().visitor().status(status).leads_to(Step::Done);
    }
}

#[test]
fn a_turn_that_was_stopped_leaves_no_call_without_a_result_and_asks_for_nothing_more() {
    let asked = Play::new()
        .visitor()
        .asks("order_status")
        .status(Status::Stopped);
    let call = asked.last_call();
    asked.leads_to(Step::Refuse(&call, Refused::TurnClosed));

    let started = Play::new()
        .visitor()
        .asks("order_status")
        .starts()
        .status(Status::Stopped);
    let call = started.last_call();
    started.leads_to(Step::GiveUpOn(&call));

    Play::new()
        .visitor()
        .asks("order_status")
        .starts()
        .status(Status::Stopped)
        .finishes()
        .leads_to(Step::Done);
    Play::new()
        .visitor()
        .status(Status::Stopped)
        .status(Status::Resumed)
        .leads_to(Step::Done);
}

#[test]
fn a_message_after_a_stop_begins_a_new_turn() {
    for closed in [Status::Stopped, Status::Closed] {
        Play::new()
            .visitor()
            .status(closed)
            .status(Status::Reopened)
            .visitor()
            .leads_to(Step::CallModel);
    }
}

#[test]
fn what_was_stopped_is_not_waiting_for_an_answer() {
    let play = Play::new()
        .visitor()
        .status(Status::Stopped)
        .visitor()
        .status(Status::Resumed);
    let transcript = Transcript::new(play.entries);

    assert_eq!(transcript.unanswered().len(), 1);
}

#[test]
fn m1_a_conversation_that_moved_goes_on_where_it_was() {
    let moved = Status::ContinuedFromBeforeSignIn;

    Play::new()
        .visitor()
        .agent()
        .status(moved)
        .leads_to(Step::Done);
    Play::new()
        .visitor()
        .status(moved)
        .leads_to(Step::CallModel);
}
