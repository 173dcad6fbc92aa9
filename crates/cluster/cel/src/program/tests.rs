use serde_json::json;

use super::*;

fn evaluate(source: &str) -> Result<serde_json::Value, String> {
    let program = Program::compile(source).map_err(|problem| problem.to_string())?;
    let object = json!({
        "a": 1, "half": 0.5, "text": "héllo", "list": [3, 1, 2], "empty": [], "none": null,
        "map": {"x": 1, "y": 2}, "items": [{"name": "a", "size": 1}, {"name": "b", "size": 2}], "yes": true,
    });
    program
        .evaluate(&[("self", &object)])
        .map_err(|problem| problem.to_string())
}

#[test]
fn expressions_have_the_values_that_the_language_says() {
    for (source, expected) in [
        ("1 + 2 * 3 - 4 / 2 % 3", json!(5)),
        ("-2 + --3", json!(1)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("0xFF == 255 && 1u + 2u == 3u", json!(true)),
        ("1.5e1 + .5", json!(15.5)),
        ("'a' + \"b\" + r'\\n' + '''c\n'''", json!("ab\\nc\n")),
        ("'\\u00e9\\x41\\101'", json!("éAA")),
        ("b'ab' == bytes('ab')", json!(true)),
        ("1 == 1.0 && 1u == 1 && 2 > 1.5", json!(true)),
        ("[1, 2] + [3] == [1, 2, 3]", json!(true)),
        ("{'a': 1, 2: 'b'}[2]", json!("b")),
        (
            "1 in [1, 2] && 'x' in self.map && !('z' in self.map)",
            json!(true),
        ),
        ("self.yes ? 'y' : 'n'", json!("y")),
        ("has(self.a) && !has(self.b)", json!(true)),
        (
            "self.list.all(x, x > 0) && self.list.exists(x, x == 2)",
            json!(true),
        ),
        ("self.list.exists_one(x, x > 2)", json!(true)),
        ("self.list.map(x, x * 2).filter(x, x > 2)", json!([6, 4])),
        ("self.list.map(x, x > 1, x)", json!([3, 2])),
        ("self.map.all(k, self.map[k] > 0)", json!(true)),
        ("self.list.all(i, v, i < 3 && v < 4)", json!(true)),
        ("self.map.transformMap(k, v, v * 2)", json!({"x": 2, "y": 4})),
        ("self.list.transformList(i, v, i > 0, v)", json!([1, 2])),
        (
            "{'a': 1}.transformMapEntry(k, v, {string(v): k})",
            json!({"1": "a"}),
        ),
        ("cel.bind(x, self.a + 1, x * x)", json!(4)),
        ("self.?b.?c.orValue(7)", json!(7)),
        ("self.map[?'x'].value() + self.?map.x.orValue(0)", json!(2)),
        ("[?self.?b, ?self.?a]", json!([1])),
        ("self.?a.optMap(x, x + 1).hasValue()", json!(true)),
        ("type(1) == int && type('') == string", json!(true)),
        ("false && self.nowhere || true", json!(true)),
        ("self.nowhere == 1 || true", json!(true)),
        ("self.`text`", json!("héllo")),
        ("// a remark\n1", json!(1)),
    ] {
        assert_eq!(evaluate(source), Ok(expected), "{source}");
    }
}

#[test]
fn functions_do_what_kubernetes_documents() {
    for source in [
        "size(self.text) == 5 && self.text.size() == 5 && size(self.map) == 2",
        "'abc'.contains('b') && 'abc'.startsWith('a') && 'abc'.endsWith('c') && 'abc'.matches('^a.c$')",
        "'hello'.charAt(1) == 'e' && 'hello'.indexOf('l') == 2 && 'hello'.lastIndexOf('l') == 3",
        "'a,b,c'.split(',') == ['a', 'b', 'c'] && 'abc'.split('') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2)[1] == 'b,c'",
        "'Ab'.lowerAscii() == 'ab' && 'aaa'.replace('a', 'b', 2) == 'bba' && ' x '.trim() == 'x'",
        "'hello'.substring(1, 3) == 'el' && 'héllo'.substring(2) == 'llo' && ['a', 'b'].join('-') == 'a-b'",
        "'abc 123'.find('[0-9]+') == '123' && '1 2 3'.findAll('[0-9]', 2) == ['1', '2']",
        "'%s has %d at %.2f%%, %x'.format(['a', 3, 1.5, 255]) == 'a has 3 at 1.50%, ff'",
        "[1, 2, 2].isSorted() && [1, 2].sum() == 3 && [3, 1].min() == 1 && [3, 1].max() == 3",
        "[1, 1, 2].distinct() == [1, 2] && [[1], [2]].flatten() == [1, 2] && [3, 1].sort() == [1, 3]",
        "self.items.sortBy(x, -x.size)[0].name == 'b' && [1, 2, 3].slice(1, 3) == [2, 3]",
        "sets.contains([1, 2], [1]) && sets.equivalent([1, 2], [2, 1]) && sets.intersects([1], [1, 2])",
        "math.greatest(1, 2.5) == 2.5 && math.least([3, 2]) == 2 && math.ceil(1.2) == 2.0",
        "quantity('1Gi').isGreaterThan(quantity('1G')) && isQuantity('5m') && !isQuantity('x')",
        "quantity('50k').add(20).compareTo(quantity('50020')) == 0 && quantity('2').asInteger() == 2",
        "isURL('https://a.b:80/p?q=1') && url('https://a.b:8443/p?q=1').getPort() == '8443'",
        "url('https://[::1]:80/').getHostname() == '::1' && url('/x').getEscapedPath() == '/x' && !isURL('x')",
        "url('http://a/?k=1&k=2').getQuery() == {'k': ['1', '2']}",
        "ip('127.0.0.1').family() == 4 && isIP('::1') && !isIP('1.2.3') && ip('::1').isLoopback()",
        "cidr('10.0.0.0/8').containsIP('10.1.1.1') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')",
        "cidr('10.1.1.1/8').masked() == cidr('10.0.0.0/8') && cidr('::/0').prefixLength() == 0",
        "semver('1.2.3').isLessThan(semver('1.10.0')) && isSemver('1.0.0') && isSemver('v1', true)",
        "!format.dns1123Label().validate('my-name').hasValue() && format.named('uuid').hasValue()",
        "format.dns1123Label().validate('My').value()[0].startsWith('a lowercase RFC 1123 label')",
        "duration('1h30m').getMinutes() == 90 && duration('1.5s') > duration('1s')",
        "timestamp('2026-01-02T03:04:05Z').getFullYear() == 2026 && timestamp('2026-01-02T03:04:05Z').getDate() == 2",
        "timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z') == duration('24h')",
        "timestamp('2026-01-01T23:30:00Z').getHours('+01:00') == 0",
        "int('3') == 3 && int(3.9) == 3 && double(1) == 1.0 && string(1.5) == '1.5' && bool('true')",
        "base64.decode(base64.encode(b'hi')) == b'hi' && strings.quote('a\"b') == '\"a\\\\\"b\"'",
        "optional.ofNonZeroValue('').orValue('x') == 'x' && optional.none().or(optional.of(1)).value() == 1",
        "lists.range(3) == [0, 1, 2] && [1, 2].reverse() == [2, 1] && [1].first().value() == 1",
    ] {
        assert_eq!(evaluate(source), Ok(json!(true)), "{source}");
    }
}

#[test]
fn what_has_no_value_says_why() {
    for (source, expected) in [
        ("self.nowhere", "no such key: nowhere"),
        ("other", "no such attribute(s): other"),
        ("1 / 0", "division by zero"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("self.list[7]", "index out of bounds: 7"),
        ("1 + 'a'", "no such overload: _+_(int, string)"),
        (
            "self.a.b",
            "no such overload: unsupported field selection target: (int).b",
        ),
        ("!self.a", "no such overload: !_(int)"),
        ("self.a < 'x'", "no such overload: _<_(int, string)"),
        ("{'a': 1, 'a': 2}", "duplicate key: a"),
        (
            "'a'.matches('(')",
            "error parsing regexp: regex parse error:\n    (\n    ^\nerror: unclosed group",
        ),
        ("optional.none().value()", "optional.none() dereference"),
        (
            "has(self.a.b)",
            "no such overload: unsupported field selection target: (int).b",
        ),
    ] {
        assert_eq!(evaluate(source), Err(expected.to_owned()), "{source}");
    }
}

#[test]
fn what_is_no_expression_is_refused() {
    for source in [
        "",
        "1 +",
        "(",
        "a b",
        "self.",
        "f(",
        "[1",
        "'a",
        "1 ? 2",
        "has(1)",
        "self.list.all(1, true)",
        "A{b: 1}",
        "99999999999999999999",
        "'\\q'",
        "foo(1)",
        "self.foo(1)",
        "for",
        "x.exists(a, a, true)",
        "#",
    ] {
        assert!(Program::compile(source).is_err(), "{source}");
    }
    let problem = Program::compile("1 +\n foo(2)").unwrap_err().to_string();
    assert_eq!(
        problem,
        "ERROR: <input>:2:2: undeclared reference to 'foo' (in container '')"
    );
}

#[test]
fn work_and_nesting_are_bounded() {
    let list = (0..2000)
        .map(|number| number.to_string())
        .collect::<Vec<_>>()
        .join(",");
    let nested = format!("[{list}].all(a, [{list}].all(b, a + b >= 0))");
    assert_eq!(
        Program::compile(&nested).unwrap().evaluate(&[]),
        Err(EvaluateError::Exhausted)
    );
    let growing = "[['x'].map(a, a+a+a+a+a+a+a+a)[0]]";
    let mut source = "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'".to_owned();
    for _ in 0..12 {
        source = format!("[{source}].map(a, a+a+a+a+a+a+a+a)[0]");
    }
    assert!(Program::compile(growing).is_ok());
    assert_eq!(
        Program::compile(&source).unwrap().evaluate(&[]),
        Err(EvaluateError::Exhausted)
    );
    for deep in [
        "(".repeat(10_000),
        "[".repeat(10_000),
        "!(".repeat(10_000),
        "-[".repeat(5_000),
    ] {
        assert!(Program::compile(&deep).is_err());
    }
    assert_eq!(
        Program::compile(&format!("a{}", ".b".repeat(5_000))).unwrap_err(),
        CompileError::TooDeep
    );
    let long = format!("1{}", "+1".repeat(5_000));
    assert_eq!(Program::compile(&long).unwrap().evaluate(&[]), Ok(json!(5001)));
}

#[test]
fn variables_are_those_that_nothing_binds() {
    let program = Program::compile("self.list.all(x, x > oldSelf && int(y) == 1)").unwrap();
    assert_eq!(program.variables().collect::<Vec<_>>(), ["oldSelf", "self", "y"]);
}
