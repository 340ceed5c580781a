// How the page of a study looks: on a screen by day and by night, and on paper.

enum StudyStyle {
  static let css = """
    :root{\(Chart.palette)--fg:#1c2127;--muted:#5a6472;--lines:#dfe3e8;--page:#fff;--card:#f5f7f9;--accent:#0062a3}
    @media (prefers-color-scheme:dark){:root{\(Chart.darkPalette)--fg:#e8eaed;--muted:#a0a8b4;--lines:#363c45;
    --page:#14171b;--card:#1d2127;--accent:#5fb0f5}}
    *{box-sizing:border-box}html{scroll-behavior:smooth}
    body{margin:0;background:var(--page);color:var(--fg);
    font:17px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
    main{max-width:900px;margin:0 auto;padding:0 24px 64px}
    header{padding:72px 0 20px}h1{font-size:46px;line-height:1.1;letter-spacing:-.02em;margin:0 0 16px;text-wrap:balance}
    h2{font-size:25px;line-height:1.3;letter-spacing:-.01em;margin:0 0 18px;text-wrap:pretty}
    h3{font-size:16px;line-height:1.4;margin:0 0 10px;text-wrap:pretty}
    .eyebrow{color:var(--accent);font-size:14px;font-weight:600;margin:0 0 10px}
    .lead{color:var(--muted);font-size:19px;margin:0}
    .answer{margin:36px 0 0;padding:24px 28px;background:var(--card);border-left:4px solid var(--accent);border-radius:4px}
    .answer h2{font-size:15px;color:var(--muted);margin:0 0 6px;letter-spacing:0}
    .answer p{font-size:23px;line-height:1.4;margin:0;text-wrap:pretty}
    nav{position:sticky;top:0;z-index:2;background:var(--page);border-bottom:1px solid var(--lines);padding:12px 0;margin:28px 0 0;
    display:flex;gap:14px;overflow-x:auto;font-size:14px}
    nav a{color:var(--muted);text-decoration:none;white-space:nowrap}nav a:hover{color:var(--accent)}
    section{padding:56px 0 0;scroll-margin-top:20px}
    figure{margin:30px 0 0}figure svg{width:100%;height:auto;display:block}
    figcaption{color:var(--muted);font-size:14px;line-height:1.5;margin-top:10px}figcaption small{font-size:13px;opacity:.85}
    img{image-rendering:pixelated;max-width:100%;height:auto;display:block;border-radius:3px}
    .of-picture img{width:100%}
    .key{display:none;flex-wrap:wrap;gap:2px 16px;margin:8px 0 0;font-size:14px;font-weight:600}
    .key span{display:inline-flex;align-items:center;gap:5px}figure .key svg{width:16px;height:16px}
    .strips{display:grid;grid-template-columns:auto minmax(0,1fr);gap:6px 18px;align-items:center}
    .strips img{width:100%}.strips .label{font-size:14px;font-weight:600;line-height:1.3;white-space:nowrap}
    .label small{display:block;font-weight:400;color:var(--muted);font-variant-numeric:tabular-nums}
    .scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:15px;font-variant-numeric:tabular-nums}
    th{font-size:13px;font-weight:600;color:var(--muted);text-align:right;padding:8px 10px;border-bottom:1px solid var(--muted);
    vertical-align:bottom;line-height:1.3}
    td{text-align:right;padding:7px 10px;border-bottom:1px solid var(--lines)}
    th:first-child,td:first-child{text-align:left;padding-left:0;min-width:7em}
    .swipe{display:none;font-size:14px;color:var(--muted);margin:4px 0 0;text-align:right}.swipe::after{content:" \\2192"}
    footer{margin-top:72px;padding-top:20px;border-top:1px solid var(--lines);color:var(--muted);font-size:14px}
    #explorer .panel{background:var(--card);border-radius:8px;padding:22px}
    .tabs{display:flex;gap:8px;flex-wrap:wrap;margin-bottom:20px}
    button{font:600 14px/1 inherit;font-family:inherit;color:var(--fg);background:var(--page);border:1px solid var(--lines);border-radius:6px;
    padding:10px 14px;cursor:pointer}button:hover{border-color:var(--accent)}
    button[aria-pressed=true]{background:var(--accent);border-color:var(--accent);color:var(--page)}
    .stage{display:grid;grid-template-columns:minmax(0,280px) minmax(0,1fr);gap:28px;align-items:start}
    .stage canvas{width:100%;image-rendering:pixelated;border-radius:6px;background:#000;display:block}
    .actions{display:flex;gap:8px;margin-top:12px}
    .map{position:relative;cursor:crosshair;touch-action:none;max-width:420px}
    .map i{position:absolute;width:18px;height:18px;margin:-9px 0 0 -9px;border:3px solid #ffb000;border-radius:50%;
    box-shadow:0 0 0 2px #000;pointer-events:none}
    .hint{font-size:14px;color:var(--muted);margin:8px 0 0}
    .sliders{display:grid;grid-template-columns:1fr 1fr;gap:4px 26px;margin-top:6px}
    .sliders label{display:grid;grid-template-columns:76px 1fr 44px;gap:8px;align-items:center;font-size:13px;
    color:var(--muted);font-variant-numeric:tabular-nums}
    .sliders.two{grid-template-columns:1fr;margin-top:14px;max-width:420px}.sliders output{text-align:right;color:var(--fg)}
    input[type=range]{width:100%;accent-color:var(--accent);margin:3px 0}
    .examples{display:flex;gap:5px;flex-wrap:wrap;margin-bottom:14px}
    .examples canvas{width:36px;cursor:pointer;border-radius:4px}
    .examples button{padding:2px;line-height:0;background:none}
    @media (max-width:680px){.stage,.sliders{grid-template-columns:1fr}h1{font-size:34px}main{padding:0 16px 48px}header{padding-top:40px}
    .of-chart .scroll svg{min-width:600px}.key{display:flex}.swipe{display:block}
    .of-chart .scroll{background:linear-gradient(to right,var(--page) 40%,transparent) 0 0/40px 100% no-repeat local,
    linear-gradient(to left,var(--page) 40%,transparent) 100% 0/40px 100% no-repeat local,
    linear-gradient(to right,var(--lines),transparent) 0 0/16px 100% no-repeat scroll,
    linear-gradient(to left,var(--lines),transparent) 100% 0/16px 100% no-repeat scroll}}
    @media print{@page{margin:14mm}
    :root{\(Chart.palette)--fg:#000;--muted:#444;--lines:#ccc;--page:#fff;--card:#f5f5f5;--accent:#0062a3}
    body{font-size:10pt;line-height:1.45}main{max-width:none;padding:0}nav,#explorer{display:none}
    header{padding:0}h1{font-size:26pt}h2{font-size:14pt;margin-bottom:8pt}h3{font-size:10.5pt;margin-bottom:4pt}
    .lead{font-size:11pt}.eyebrow{font-size:9pt;margin-bottom:4pt}.answer{margin-top:14pt;padding:10pt 14pt}
    .answer p{font-size:13pt}section{padding-top:22pt}section>p{margin:4pt 0}figure{margin-top:12pt}
    figure svg,.of-picture img{width:78%;max-height:105mm}.of-picture img{width:auto}.strips{gap:2pt 10pt;width:86%}
    figcaption,figcaption small{font-size:8pt;margin-top:4pt}.strips .label{font-size:8.5pt}
    table{font-size:9pt}th{font-size:8pt;padding:3pt 6pt}td{padding:2.5pt 6pt}
    footer{margin-top:24pt;font-size:8pt}
    figure,tr,.answer,footer,h1,h2,h3,p{break-inside:avoid}h2,h3,.eyebrow,section>p{break-after:avoid}.scroll{overflow:visible}.key{display:none}
    *{-webkit-print-color-adjust:exact;print-color-adjust:exact}}

    """
}
