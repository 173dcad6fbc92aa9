use proptest::prelude::*;

use super::Quantity;

fn quantity(text: &str) -> Quantity {
    text.parse().unwrap_or_else(|_| panic!("{text} is a quantity"))
}

#[test]
fn prints_the_canonical_form_of_kubernetes() {
    for (written, canonical) in [
        ("0", "0"),
        ("0Mi", "0"),
        ("-0", "0"),
        ("0.5", "500m"),
        (".5", "500m"),
        ("5.", "5"),
        ("500m", "500m"),
        ("0.25", "250m"),
        ("1500m", "1500m"),
        ("1000m", "1"),
        ("1", "1"),
        ("1000", "1k"),
        ("1024", "1024"),
        ("1500", "1500"),
        ("1000000", "1M"),
        ("512Mi", "512Mi"),
        ("0.5Gi", "512Mi"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("1Ki", "1Ki"),
        ("0.5Ki", "512"),
        ("1.1Ki", "1126400m"),
        ("1025Ki", "1025Ki"),
        ("128974848", "128974848"),
        ("129e6", "129e6"),
        ("1e3", "1e3"),
        ("1E3", "1e3"),
        ("1e+3", "1e3"),
        ("100e-3", "100e-3"),
        ("1.5e1", "15"),
        ("1E", "1E"),
        ("129M", "129M"),
        ("+5", "5"),
        ("-1500m", "-1500m"),
        ("-1.5Gi", "-1536Mi"),
        ("100u", "100u"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("-0.1n", "-1n"),
        ("1e-100", "1e-9"),
        ("1e100", "9223372036854775807"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775807"),
        ("9999Ei", "9223372036854775807"),
        ("1Ei", "1Ei"),
        ("007", "7"),
        ("0.000000000000000000000000000000000000000001", "1n"),
    ] {
        assert_eq!(quantity(written).to_string(), canonical, "{written}");
    }
}

#[test]
fn refuses_what_kubernetes_refuses() {
    for text in [
        "",
        "lots",
        ".",
        "-",
        "+",
        "1.2.3",
        "1 Gi",
        "1gi",
        "1K",
        "1kk",
        "1MiB",
        "1e",
        "1e1.5",
        "e3",
        "--1",
        "1,5",
        "0x10",
        "∞",
        "1\n",
        "Mi",
        "1e99999999999",
        "m",
        "1.5.Gi",
    ] {
        assert!(text.parse::<Quantity>().is_err(), "{text:?}");
    }
}

#[test]
fn compares_amounts_not_texts() {
    assert_eq!(quantity("0.5"), quantity("500m"));
    assert_eq!(quantity("1Gi"), quantity("1073741824"));
    assert!(quantity("250m") < quantity("0.5"));
    assert!(quantity("1G") < quantity("1Gi"));
    assert!(quantity("-1") < quantity("0"));
}

#[test]
fn adds_exactly_and_keeps_the_way_of_writing() {
    assert_eq!((quantity("100Mi") + quantity("412Mi")).to_string(), "512Mi");
    assert_eq!((Quantity::ZERO + quantity("1Gi")).to_string(), "1Gi");
    assert_eq!((quantity("0.1") + quantity("0.2")).to_string(), "300m");
    assert_eq!((quantity("1") - quantity("1.5")).to_string(), "-500m");
    assert_eq!(
        [quantity("1Gi"), quantity("1Gi")]
            .into_iter()
            .sum::<Quantity>()
            .to_string(),
        "2Gi"
    );
}

#[test]
fn rounds_up_where_whole_numbers_are_asked_for() {
    assert_eq!(quantity("1500m").units(), 2);
    assert_eq!(quantity("-1500m").units(), -1);
    assert_eq!(quantity("1u").millis(), 1);
    assert_eq!(quantity("0.5").millis(), 500);
    assert_eq!(quantity("1Ki").units(), 1024);
}

#[test]
fn is_made_from_numbers() {
    assert_eq!(Quantity::from_units(2000).to_string(), "2k");
    assert_eq!(Quantity::from_millis(150).to_string(), "150m");
    assert_eq!(Quantity::from_bytes(512 << 20).to_string(), "512Mi");
}

#[test]
fn is_a_string_in_json_and_read_from_numbers_too() {
    assert_eq!(serde_json::to_string(&quantity("0.5")).unwrap(), "\"500m\"");
    assert_eq!(serde_json::from_str::<Quantity>("1").unwrap(), quantity("1"));
    assert_eq!(serde_json::from_str::<Quantity>("0.5").unwrap(), quantity("500m"));
    assert_eq!(
        serde_json::from_str::<Quantity>("\"1.5Gi\"").unwrap().to_string(),
        "1536Mi"
    );
    assert!(serde_json::from_str::<Quantity>("true").is_err());
}

fn written() -> impl Strategy<Value = String> {
    "[+-]?[0-9]{1,22}(\\.[0-9]{0,14})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e-?[0-9]{1,2})?"
}

/// A quantity as text and as an exact fraction of billionths: digits, where the point stands, and a suffix.
fn exact() -> impl Strategy<Value = (String, i128, i128)> {
    let suffixes: &[(&str, i128, i128)] = &[
        ("n", 1, 1_000_000_000),
        ("u", 1, 1_000_000),
        ("m", 1, 1_000),
        ("", 1, 1),
        ("k", 1_000, 1),
        ("M", 1_000_000, 1),
        ("G", 1_000_000_000, 1),
        ("Ki", 1 << 10, 1),
        ("Mi", 1 << 20, 1),
        ("Gi", 1 << 30, 1),
        ("e3", 1_000, 1),
        ("E-2", 1, 100),
    ];
    (
        any::<bool>(),
        0..1_000_000_000_i64,
        0..7_u32,
        prop::sample::select(suffixes),
    )
        .prop_map(|(minus, digits, point, (suffix, times, over))| {
            let digits = if minus { -digits } else { digits };
            let scale = 10_i128.pow(point);
            let sign = if minus { "-" } else { "" };
            let (whole, rest) = (i128::from(digits.abs()) / scale, i128::from(digits.abs()) % scale);
            let fraction = if point == 0 {
                String::new()
            } else {
                format!(".{rest:0width$}", width = point as usize)
            };
            let written = format!("{sign}{whole}{fraction}{suffix}");
            (written, i128::from(digits) * times * 1_000_000_000, scale * over)
        })
}

/// A fraction, rounded away from zero.
fn rounded(above: i128, below: i128) -> i128 {
    let more = i128::from(above % below != 0) * above.signum();
    above / below + more
}

proptest! {
    #[test]
    fn amounts_are_those_of_exact_arithmetic((a, above, below) in exact(), (b, other_above, other_below) in exact()) {
        let (one, other) = (quantity(&a), quantity(&b));
        let (exact_one, exact_other) = (rounded(above, below), rounded(other_above, other_below));
        prop_assert_eq!(one.nanos(), exact_one, "{}", a);
        prop_assert_eq!((one + other).nanos(), exact_one + exact_other);
        prop_assert_eq!((one - other).nanos(), exact_one - exact_other);
        prop_assert_eq!(one.cmp(&other), exact_one.cmp(&exact_other));
        let canonical = one.to_string();
        prop_assert_eq!(quantity(&canonical).nanos(), exact_one, "{}", canonical);
        prop_assert!(!canonical.contains('.'), "{}", canonical);
    }

    #[test]
    fn the_canonical_form_is_the_same_amount_and_its_own_canonical_form(text in written()) {
        let read = quantity(&text);
        let again = quantity(&read.to_string());
        prop_assert_eq!(again, read);
        prop_assert_eq!(again.to_string(), read.to_string());
    }

    #[test]
    fn adding_and_taking_away_is_nothing(a in written(), b in written()) {
        let (a, b) = (quantity(&a), quantity(&b));
        prop_assert_eq!(a + b - b, a);
    }

    #[test]
    fn millis_are_read_exactly(millis in any::<i32>()) {
        let written = format!("{millis}m");
        prop_assert_eq!(quantity(&written).millis(), i128::from(millis));
        prop_assert_eq!(quantity(&written), Quantity::from_millis(i64::from(millis)));
    }

    #[test]
    fn never_panics(text in "\\PC{0,40}") {
        let _ = text.parse::<Quantity>();
    }
}
