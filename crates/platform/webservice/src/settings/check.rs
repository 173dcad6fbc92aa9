//! What can be wrong with settings as they are, whoever gave them.

use toolforge_model::Quantity;

use super::Settings;

/// The suffixes that the original takes behind digits; it knows no decimals and no exponents.
const SUFFIXES: [&str; 16] = [
    "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "n", "u", "m", "k", "M", "G", "T", "P", "E",
];

/// All that is wrong with them, each in the words of an argument parser.
pub(crate) fn problems_of(settings: &Settings) -> Vec<String> {
    let mut problems = Vec::new();
    let quantities = [
        ("-m/--mem", &settings.mem, "512Mi or 1Gi"),
        ("-c/--cpu", &settings.cpu, "500m or 1"),
    ];
    for (option, value, example) in quantities {
        if let Some(value) = value.as_deref().filter(|value| !is_quantity(value)) {
            problems.push(format!(
                "argument {option}: {value} is not a valid Kubernetes quantity; say for example {example}"
            ));
        }
    }
    if let Some(path) = settings
        .health_check_path
        .as_deref()
        .filter(|path| !is_path(path))
    {
        problems.push(format!(
            "argument --health-check-path: {path:?} is not a path of your URL; say for example /healthz"
        ));
    }
    if let Some(image) = settings
        .buildservice_image
        .as_deref()
        .filter(|image| !is_image(image))
    {
        problems.push(format!(
            "argument --buildservice-image: {image:?} is not the name of an image; say for example \
             tool-mine/tool-mine:latest"
        ));
    }
    problems
}

fn is_quantity(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, suffix) = text.split_at(digits);
    !number.is_empty()
        && SUFFIXES.contains(&suffix)
        && text
            .parse::<Quantity>()
            .is_ok_and(|quantity| quantity > Quantity::ZERO)
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

fn is_image(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(['/', '-'])
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._/:@".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_digits_and_a_suffix() {
        for good in ["1", "100m", "512Mi", "1Gi", "2k", "7E", "3u", "5n"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in [
            "", "lots", "0.5", "1e3", "-1", "+1", "1 Gi", "1gi", "Mi", "0", "0Mi", "1KiB", "1K",
        ] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let settings = Settings {
            mem: Some("lots".to_owned()),
            cpu: Some("0.5".to_owned()),
            health_check_path: Some("healthz".to_owned()),
            buildservice_image: Some("two words".to_owned()),
            ..Settings::default()
        };
        let problems = problems_of(&settings);
        for words in [
            "argument -m/--mem: lots is not a valid Kubernetes quantity",
            "argument -c/--cpu: 0.5 is not a valid Kubernetes quantity",
            "\"healthz\" is not a path",
            "\"two words\" is not the name of an image",
        ] {
            assert!(
                problems.iter().any(|problem| problem.contains(words)),
                "{words}: {problems:?}"
            );
        }
        assert_eq!(problems_of(&Settings::default()), Vec::<String>::new());
    }
}
