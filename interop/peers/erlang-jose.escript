%% erlang-jose, for Erlang.
-mode(compile).

main([]) ->
    jose:json_module(jose_json_jiffy),
    jose:unsecured_signing(true),
    io:setopts([binary, {encoding, unicode}]),
    answer(io:get_line("")).

answer(eof) -> ok;
answer(Line) ->
    Job = jiffy:decode(Line, [return_maps]),
    Said = try does(maps:get(<<"do">>, Job), Job)
           catch Class:Why -> #{error => iolist_to_binary(io_lib:format("~p: ~p", [Class, Why]))}
           end,
    ok = file:write(standard_io, [jiffy:encode(Said, [uescape]), $\n]),
    answer(io:get_line("")).

does(<<"sign">>, #{<<"alg">> := Alg, <<"kid">> := Kid, <<"claims">> := Claims} = Job) ->
    Jws = #{<<"alg">> => Alg, <<"kid">> => Kid, <<"typ">> => <<"JWT">>},
    {_, Token} = jose_jws:compact(jose_jwt:sign(key(Alg, Job), Jws, Claims)),
    #{token => Token};
does(<<"verify">>, #{<<"alg">> := Alg, <<"token">> := Token} = Job) ->
    case jose_jwt:verify_strict(key(Alg, Job), [Alg], Token) of
        {true, Jwt, _} -> {_, Claims} = jose_jwt:to_map(Jwt), #{claims => Claims};
        {false, _, _} -> #{error => <<"the signature does not match">>}
    end.

key(<<"none">>, _) -> #{<<"kty">> => <<"oct">>, <<"k">> => <<>>};
key(_, #{<<"secret">> := Secret}) -> jose_jwk:from_oct(Secret);
key(_, #{<<"jwk">> := Jwk}) -> jose_jwk:from_map(Jwk);
key(_, #{<<"pem">> := Pem}) -> jose_jwk:from_pem(Pem).
