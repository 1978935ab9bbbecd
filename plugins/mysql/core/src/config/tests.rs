use serde_json::json;

use super::*;

fn read(values: serde_json::Value) -> Result<Configuration, Fault> {
    Configuration::of(Document::of(values), Some(Path::new("/data"))).map_err(|error| error.fault)
}

fn servers(configuration: &Configuration) -> Vec<String> {
    match &configuration.endpoint {
        EndpointSource::Directory { servers, .. } => servers.iter().map(ToString::to_string).collect(),
        EndpointSource::Files { server, .. } => vec![server.to_string()],
    }
}

#[test]
fn oracles_dialect_is_read_in_both_forms_of_its_manual() {
    let list = read(json!({
        "kmip_configuration_directory": "/etc/okv",
        "cache_keys": false,
        "server": "10.0.0.1:5696",
        "standby_server": ["10.0.0.2:5697", "vault:5698", "10.0.0.1:5696"],
    }))
    .unwrap();
    assert_eq!(servers(&list), ["10.0.0.1:5696", "10.0.0.2:5697", "vault:5698"]);
    assert!(!list.cache_keys);
    assert_eq!((list.timeout, list.verify_name), (DEFAULT_TIMEOUT, VerifyName::Yes));

    let single = read(json!({
        "kmip_configuration_directory": "/etc/okv",
        "server": "10.0.0.1:5696",
        "standby_server": "10.0.0.2:5697",
    }))
    .unwrap();
    assert_eq!(servers(&single), ["10.0.0.1:5696", "10.0.0.2:5697"]);
    assert!(single.cache_keys);

    let directory = read(json!({"kmip_configuration_directory": "/etc/okv"})).unwrap();
    assert_eq!(directory, of_directory("/etc/okv", "/data"));
}

fn of_directory(dir: &str, data_dir: impl Into<PathBuf>) -> Configuration {
    Configuration { data_dir: Some(data_dir.into()), ..Configuration::of_directory(dir.into()) }
}

#[test]
fn perconas_dialect_is_read_and_verifies_unless_told_otherwise() {
    let values = json!({
        "server_addr": "10.0.0.1",
        "server_port": "5697",
        "client_ca": "/k/client_certificate.pem",
        "client_key": "/k/client_key.pem",
        "server_ca": "/k/root.pem",
        "object_group": "db1",
        "max_objects": 65535,
        "kmip_timeout_ms": 1500,
    });
    let read_values = read(values.clone()).unwrap();
    assert_eq!(servers(&read_values), ["10.0.0.1:5697"]);
    assert_eq!(read_values.group, Group::Named("db1".into()));
    assert_eq!(read_values.timeout, Duration::from_millis(1500));
    assert_eq!(read_values.verify_name, VerifyName::Yes);
    assert!(read_values.cache_keys);

    for key in ["tls_peer_verification", "tls_hostname_verification"] {
        let mut values = values.clone();
        values[key] = json!(false);
        assert_eq!(read(values.clone()).unwrap().verify_name, VerifyName::No(key));
        values[key] = json!(true);
        assert_eq!(read(values).unwrap().verify_name, VerifyName::Yes);
    }
}

#[test]
fn the_servers_uuid_can_be_the_group() {
    let configuration =
        read(json!({"kmip_configuration_directory": "/etc/okv", "object_group": "@server_uuid"})).unwrap();
    assert_eq!((configuration.group, configuration.data_dir), (Group::ServerUuid, Some("/data".into())));
    let document =
        Document::of(json!({"kmip_configuration_directory": "/etc/okv", "object_group": "@server_uuid"}));
    assert_eq!(Configuration::of(document, None).unwrap_err().fault, Fault::NoInstance);
}

#[test]
fn a_relative_data_directory_stays_where_it_is_when_the_server_goes_elsewhere() {
    let document = Document::of(json!({"kmip_configuration_directory": "/etc/okv"}));
    let configuration = Configuration::of(document, Some(Path::new("data/"))).unwrap();
    assert_eq!(configuration.data_dir, Some(std::env::current_dir().unwrap().join("data/")));
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    let dir = "/etc/okv";
    for (values, message) in [
        (json!({}), "nothing is configured; name kmip_configuration_directory"),
        (
            json!({"kmip_configuration_directory": dir, "sever": "a:1"}),
            "unknown: \"sever\"; correct or remove",
        ),
        (json!({"kmip_configuration_dir": dir}), "unknown: \"kmip_configuration_dir\"; correct or remove"),
        (json!({"server": "a:1"}), "\"kmip_configuration_directory\" is missing"),
        (
            json!({"kmip_configuration_directory": dir, "server_addr": "a"}),
            "\"kmip_configuration_directory\" is a key of Oracle's component and \"server_addr\" one of Percona's; keep to one of the two",
        ),
        (
            json!({"kmip_configuration_directory": "etc/okv"}),
            "\"kmip_configuration_directory\" is etc/okv, and must be an absolute path",
        ),
        (json!({"kmip_configuration_directory": dir, "standby_server": "a:1"}), "\"server\" is missing"),
        (
            json!({"kmip_configuration_directory": dir, "server": "a:0"}),
            "\"server\": port \"0\" is not a number from 1 to 65535",
        ),
        (
            json!({"kmip_configuration_directory": dir, "cache_keys": "true"}),
            "\"cache_keys\" must be true or false, without quotes",
        ),
        (
            json!({"kmip_configuration_directory": dir, "server": "a:1", "standby_server": 7}),
            "\"standby_server\" must be an address in quotes, or a list of them",
        ),
        (
            json!({"kmip_configuration_directory": dir, "kmip_timeout_ms": 0}),
            "\"kmip_timeout_ms\" must be a whole number from 1 to 600000",
        ),
        (json!({"server_addr": "a"}), "\"server_ca\" is missing"),
        (
            json!({"server_addr": "a", "cache_keys": true, "sever_ca": "/k"}),
            "unknown: \"sever_ca\"; correct or remove",
        ),
    ] {
        assert_eq!(read(values).unwrap_err().to_string(), message);
    }
    let standby: Vec<String> = (1..=65).map(|n| format!("10.0.0.{n}:1")).collect();
    let many = json!({"kmip_configuration_directory": dir, "server": "a:1", "standby_server": standby});
    assert_eq!(read(many).unwrap_err(), Fault::TooManyServers { servers: 66 });
}

#[test]
fn the_global_file_may_send_to_the_data_directory() {
    let scratch = tempfile::tempdir().unwrap();
    let (global, local) = (scratch.path().join("plugin"), scratch.path().join("data"));
    for dir in [&global, &local] {
        std::fs::create_dir(dir).unwrap();
    }
    let read = |instance| Configuration::read("component_keyring_kmip", &global, instance);
    let write =
        |dir: &Path, text: &str| std::fs::write(dir.join("component_keyring_kmip.cnf"), text).unwrap();

    assert_eq!(read(Some(&local)).unwrap_err().fault, Fault::Unreadable(std::io::ErrorKind::NotFound));
    write(&global, r#"{"read_local_config": true}"#);
    let missing = read(Some(&local)).unwrap_err();
    assert_eq!(missing.path, local.join("component_keyring_kmip.cnf"));
    write(&local, r#"{"kmip_configuration_directory": "/etc/okv"}"#);
    assert_eq!(read(Some(&local)).unwrap(), of_directory("/etc/okv", &local));
    assert_eq!(read(None).unwrap_err().fault, Fault::NoInstance);

    write(&global, r#"{"read_local_config": false, "kmip_configuration_directory": "/global"}"#);
    assert_eq!(read(None).unwrap(), Configuration::of_directory("/global".into()));
    for text in ["", "[]", "{", "{\"a\" 1}"] {
        write(&global, text);
        assert!(matches!(read(None).unwrap_err().fault, Fault::NotJson(_)), "{text}");
    }
}
