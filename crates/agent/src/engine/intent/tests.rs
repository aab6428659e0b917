use std::sync::{Arc, OnceLock};

use serde_json::json;

use super::*;

const PHRASES: [&str; 8] = [
    "where is my order",
    "what is the status of my order",
    "when will my parcel arrive",
    "has my order been shipped yet",
    "track my package",
    "show me my orders",
    "is my delivery on its way",
    "I'm still waiting for the things I bought",
];

const DEV: &str = include_str!("../../../tests/intent/order_status.dev.txt");
const HELD: &str = include_str!("../../../tests/intent/order_status.held.txt");

struct Trial {
    embedder: Arc<Embedder>,
    classifier: Classifier,
}

impl Trial {
    /// Trained once for all tests: training gives the same every time.
    fn with_order_status() -> &'static Self {
        static TRIAL: OnceLock<Trial> = OnceLock::new();
        TRIAL.get_or_init(Self::train)
    }

    fn train() -> Self {
        let embedder = Arc::new(Embedder::new());
        let examples = PHRASES.map(str::to_owned);
        let parameters = json!({ "properties": { "order_number": { "pattern": "^A-[0-9]{5}$" } } });
        let action = Trained {
            name: "order_status",
            examples: &examples,
            parameters: &parameters,
        };
        let classifier = Classifier::train([action], &embedder, |text| embedder.embed(text));
        Self {
            embedder,
            classifier,
        }
    }

    fn ranked(&self, text: &str) -> Ranked {
        self.classifier.classify(text, &self.embedder.embed(text))
    }

    /// Of the lines that start with `mark`, those that run the Action, and how many there are.
    fn runs<'l>(&self, list: &'l str, mark: &str) -> (Vec<&'l str>, usize) {
        let lines: Vec<&str> = list
            .lines()
            .filter_map(|line| line.strip_prefix(mark))
            .collect();
        let action = Label::Action("order_status".to_owned());
        let runs = |line: &&&str| {
            let ranked = self.ranked(line);
            ranked.best == action && ranked.p > 0.6
        };
        (lines.iter().filter(runs).copied().collect(), lines.len())
    }
}

#[test]
fn an_action_runs_for_what_means_the_same_and_not_for_near_misses() {
    let trial = Trial::with_order_status();

    for list in [DEV, HELD] {
        let (run, n_meant) = trial.runs(list, "+ ");
        let (falsely_run, n_near_misses) = trial.runs(list, "- ");

        assert!(
            run.len() * 5 >= n_meant * 4,
            "only {} of {n_meant}: {run:#?}",
            run.len()
        );
        assert!(falsely_run.len() * 20 <= n_near_misses, "{falsely_run:#?}");
    }
}

#[test]
fn a_code_of_an_actions_parameter_is_read_as_what_it_names() {
    let trial = Trial::with_order_status();
    let p = |text| {
        let ranked = trial.ranked(text);
        let action = |(label, _): &&(Label, f32)| matches!(label, Label::Action(_));
        ranked.all.iter().find(action).map(|(_, p)| *p).unwrap()
    };

    assert!(
        p("what about a-10002?") > 0.5,
        "{}",
        p("what about a-10002?")
    );
    assert!(
        p("what about B-10002?") < 0.1,
        "{}",
        p("what about B-10002?")
    );
    assert!(
        p("I want to return A-10002") < 0.4,
        "{}",
        p("I want to return A-10002")
    );
}

#[test]
fn small_talk_is_understood() {
    let trial = Trial::with_order_status();
    let cases = [
        ("hey how's it going", Intent::Greeting),
        ("thanks, you helped a lot", Intent::Thanks),
        ("yes, please do", Intent::Yes),
        ("nah", Intent::No),
        ("can I talk to someone", Intent::Person),
        ("ok bye then", Intent::Goodbye),
        ("you are dumb", Intent::Abuse),
    ];

    for (text, intent) in cases {
        let ranked = trial.ranked(text);

        assert_eq!(
            ranked.best,
            Label::Intent(intent),
            "{text}: {:?}",
            ranked.all
        );
        assert!(ranked.p > 0.5, "{text}: {}", ranked.p);
    }
}

#[test]
fn without_actions_questions_are_for_the_knowledge() {
    let embedder = Arc::new(Embedder::new());
    let classifier = Classifier::train([], &embedder, |text| embedder.embed(text));
    let text = "where is my order";

    let ranked = classifier.classify(text, &embedder.embed(text));

    assert_eq!(ranked.best, Label::None);
    let sum: f32 = ranked.all.iter().map(|(_, p)| p).sum();
    assert!((sum - 1.0).abs() < 1e-4);
}

#[test]
fn an_actions_examples_win_over_shipped_phrases_of_the_same_meaning() {
    let embedder = Arc::new(Embedder::new());
    let examples = [
        "I forgot my password",
        "reset my password",
        "I can't log in",
    ]
    .map(str::to_owned);
    let action = Trained {
        name: "reset_password",
        examples: &examples,
        parameters: &json!({}),
    };
    let classifier = Classifier::train([action], &embedder, |text| embedder.embed(text));
    let text = "forgot the password";

    let ranked = classifier.classify(text, &embedder.embed(text));

    assert_eq!(
        ranked.best,
        Label::Action("reset_password".to_owned()),
        "{:?}",
        ranked.all
    );
}
