// The latent explorer of a study's page: decoders inside the page, as half-precision numbers, and the script that runs
// them. What it draws is what `ae_decode` gives, to within the rounding of the weights.

import Compute
import Core
import Model
import Network
import Storage
import ToolKit

struct Explorer {
  let context: StudyContext

  init(_ context: StudyContext) { self.context = context }

  /// The section of the page; nil if no network for it has been trained.
  func section() throws -> String? {
    var models: [JSON] = []
    let (plan, digits, folder) = (context.plan, context.digits, context.folder)
    let shown = try digits.test.examples()
    var runs: [(run: StudyRun, title: String)] = [(try plan.map(digits), "2 numbers, on a map")]
    for run in try plan.own(digits) where run.options.architecture.isVariational {
      runs.append((run, "\(run.options.architecture.latentCount) numbers"))
    }
    for (run, title) in runs where StudyWork.isKept(run, in: folder) {
      if let model = try data(try folder.model(run.name), run.name, title, shown) { models.append(model) }
    }
    guard !models.isEmpty else { return nil }
    let data = JSON.object([
      ("width", .int(digits.width)), ("height", .int(digits.height)), ("models", .array(models)),
    ])
    return """
      <section id="explorer"><p class="eyebrow">Explore</p>
      <h2>Draw digits yourself: these decoders run in this page.</h2>
      <div class="panel"><div class="tabs" role="group" aria-label="network"></div>
      <div class="stage"><div><canvas id="digit" width="\(digits.width)" height="\(digits.height)" role="img"
      aria-label="the decoded digit"></canvas>
      <div class="actions"><button id="random">Random</button><button id="zero">Zero</button></div></div>
      <div><div class="map" hidden><canvas width="\(17 * digits.width)" height="\(17 * digits.height)" role="img"
      aria-label="map of the two latents"></canvas><i></i></div>
      <p class="hint"></p><div class="examples"></div><div class="sliders"></div></div></div></div>
      <script type="application/json" id="explorer-data">\(data.compact)</script></section>

      """
  }

  /// A decoder for the page; nil for one that is stored in integers alone.
  private func data(_ model: Autoencoder, _ name: String, _ title: String, _ shown: ImageSet) throws -> JSON?
  {
    guard let decoder = model.decoder else { return nil }
    var layers: [JSON] = []
    for layer in decoder.layers {
      var facts: [(key: String, value: JSON)] = [
        ("inputs", .int(layer.shape.inputs)), ("outputs", .int(layer.shape.outputs)),
        ("activation", .string("\(layer.shape.activation.name)")),
        ("weights", .string(Explorer.halves(layer.weights))),
        ("bias", .string(Explorer.halves(layer.bias))),
      ]
      if layer.shape.isConvolution {
        let g = layer.shape.geometry
        // A decoder's convolutions are transposed ones.
        guard g.transposed != 0 else { return nil }
        facts.append(
          (
            "convolution",
            .object([
              ("fine", JSON([Int(g.fine_width), Int(g.fine_height), Int(g.fine_channels)])),
              ("coarse", JSON([Int(g.coarse_width), Int(g.coarse_height), Int(g.coarse_channels)])),
              ("kernel", .int(Int(g.kernel))), ("stride", .int(Int(g.stride))),
              ("padding", .int(Int(g.padding))),
            ])
          ))
      }
      layers.append(.object(facts))
    }
    let d = model.latentCount
    let codes = try model.codes(of: shown)
    let examples = (0..<shown.count).map { image in
      JSON((0..<d).map { (Double(codes.base[image * d + $0]) * 1000).rounded() / 1000 })
    }
    let nats = try StudyExperiment.latentNats(model, try context.digits.test.prefix(500))
    return .object([
      ("run", .string(name)),
      ("title", .string("\(StudyNetwork.of(model.architecture.kind).title), \(title)")),
      ("latents", .int(d)),
      ("layers", .array(layers)),
      ("order", JSON(nats.indices.sorted { nats[$0] > nats[$1] })), ("examples", .array(examples)),
    ])
  }

  /// Numbers as little-endian float16 in base64.
  private static func halves(_ values: Buffer<Float>) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(2 * values.count)
    for index in 0..<values.count {
      let bits = Float16(values.base[index]).bitPattern
      bytes.append(UInt8(truncatingIfNeeded: bits))
      bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
    }
    return Base64.text(bytes, bytes.count)
  }

  /// Decoding, and the controls. `aeStudy.decode(model, code)` gives the bytes of a picture.
  static let script = #"""
    (()=>{'use strict';
    const data=JSON.parse(document.getElementById('explorer-data').textContent);
    const {width,height}=data,size=width*height,side=17,reach=3;
    const halves=text=>{const s=atob(text),out=new Float32Array(s.length/2);
      for(let i=0;i<out.length;i++){const h=s.charCodeAt(2*i)|s.charCodeAt(2*i+1)<<8,e=h>>10&31,f=h&1023;
        out[i]=(h>>15?-1:1)*(e?Math.pow(2,e-15)*(1+f/1024):Math.pow(2,-14)*(f/1024));}
      return out;};
    const f={identity:x=>x,relu:x=>x>0?x:0,elu:x=>x>0?x:Math.expm1(x),sigmoid:x=>1/(1+Math.exp(-x))};
    const open=model=>{if(!model.ready){for(const l of model.layers){l.w=halves(l.weights);l.b=halves(l.bias);}model.ready=true;}};
    // A transposed convolution: every coarse pixel adds its window to the fine picture, [height, width, channels].
    const spread=({fine:[fw,fh,fc],coarse:[cw,ch,cc],kernel,stride,padding},x,y,w,b,g)=>{
      for(let i=0;i<y.length;i++)y[i]=b[i%fc];
      for(let cy=0;cy<ch;cy++)for(let cx=0;cx<cw;cx++)for(let ky=0;ky<kernel;ky++)for(let kx=0;kx<kernel;kx++){
        const fy=cy*stride-padding+ky,fx=cx*stride-padding+kx;if(fy<0||fy>=fh||fx<0||fx>=fw)continue;
        const from=(cy*cw+cx)*cc,to=(fy*fw+fx)*fc;let k=(ky*kernel+kx)*fc*cc;
        for(let c=0;c<fc;c++){let sum=0;for(let j=0;j<cc;j++)sum+=w[k++]*x[from+j];y[to+c]+=sum;}}
      for(let i=0;i<y.length;i++)y[i]=g(y[i]);};
    const decode=(model,code)=>{open(model);let x=Float32Array.from(code);
      for(const {inputs,outputs,activation,w,b,convolution} of model.layers){const y=new Float32Array(outputs),g=f[activation];
        if(convolution)spread(convolution,x,y,w,b,g);
        else for(let i=0,k=0;i<outputs;i++){let sum=b[i];for(let j=0;j<inputs;j++)sum+=w[k++]*x[j];y[i]=g(sum);}
        x=y;}
      return Uint8ClampedArray.from(x,v=>Math.round(Math.min(Math.max(v,0),1)*255));};
    const paint=(canvas,bytes,x=0,y=0)=>{const c=canvas.getContext('2d'),image=c.createImageData(width,height);
      for(let i=0;i<size;i++){image.data.fill(bytes[i],4*i,4*i+3);image.data[4*i+3]=255;}c.putImageData(image,x,y);};
    const $=s=>document.querySelector('#explorer '+s),digit=document.getElementById('digit');
    const map=$('.map'),mapCanvas=$('.map canvas'),dot=$('.map i'),sliders=$('.sliders'),examples=$('.examples');
    let model,code,fields=[];
    const show=()=>{paint(digit,decode(model,code));
      fields.forEach(({index,input,out})=>{input.value=code[index];out.textContent=code[index].toFixed(2);});
      if(model.latents===2){dot.style.left=(code[0]+reach)/(2*reach)*100+'%';dot.style.top=(reach-code[1])/(2*reach)*100+'%';}};
    const set=values=>{code=Array.from(values);show();};
    const normal=()=>Math.sqrt(-2*Math.log(1-Math.random()))*Math.cos(2*Math.PI*Math.random());
    const at=(column,row)=>[(column+.5)/side*2*reach-reach,reach-(row+.5)/side*2*reach];
    const drawMap=chosen=>{let row=0;const line=()=>{if(model!==chosen||row>=side)return;
      for(let column=0;column<side;column++)paint(mapCanvas,decode(chosen,at(column,row)),column*width,row*height);
      row++;setTimeout(line);};line();};
    const choose=next=>{model=next;open(model);
      document.querySelectorAll('#explorer .tabs button').forEach((b,i)=>b.setAttribute('aria-pressed',data.models[i]===model));
      const plane=model.latents===2;map.hidden=!plane;sliders.className='sliders'+(plane?' two':'');
      $('.hint').textContent=plane?'Click or drag on the map, or move a slider.':
        'Start from a digit, then move its numbers. Those that carry most come first.';
      sliders.replaceChildren();examples.replaceChildren();
      fields=(plane?[0,1]:model.order).map(index=>{const label=document.createElement('label'),input=document.createElement('input'),
        out=document.createElement('output'),name=document.createElement('span');name.textContent='latent '+(index+1);
        Object.assign(input,{type:'range',min:-reach-1,max:reach+1,step:.01});
        input.setAttribute('aria-label','latent '+(index+1));
        input.addEventListener('input',()=>{code[index]=+input.value;show();});
        label.append(name,input,out);sliders.append(label);return {index,input,out};});
      if(!plane)model.examples.forEach((values,i)=>{const button=document.createElement('button'),c=document.createElement('canvas');
        c.width=width;c.height=height;button.setAttribute('aria-label','start from example '+i);paint(c,decode(model,values));
        button.append(c);button.addEventListener('click',()=>set(values));examples.append(button);});
      set(plane?new Array(2).fill(0):model.examples[Math.min(3,model.examples.length-1)]);
      if(plane)drawMap(model);};
    const pick=e=>{const r=mapCanvas.getBoundingClientRect();
      const x=Math.min(Math.max((e.clientX-r.left)/r.width,0),1),y=Math.min(Math.max((e.clientY-r.top)/r.height,0),1);
      set([x*2*reach-reach,reach-y*2*reach]);};
    map.addEventListener('pointerdown',e=>{map.setPointerCapture(e.pointerId);pick(e);});
    map.addEventListener('pointermove',e=>{if(e.buttons)pick(e);});
    document.getElementById('random').addEventListener('click',()=>set(code.map(normal)));
    document.getElementById('zero').addEventListener('click',()=>set(code.map(()=>0)));
    for(const m of data.models){const b=document.createElement('button');b.textContent=m.title;
      b.addEventListener('click',()=>choose(m));$('.tabs').append(b);}
    window.aeStudy={data,decode,choose,set};
    choose(data.models[0]);
    })();
    """#
}

extension JSON {
  /// On one line, without spaces, safe inside a script element.
  var compact: String {
    switch self {
    case .array(let values): return "[" + values.map(\.compact).joined(separator: ",") + "]"
    case .object(let pairs):
      return "{" + pairs.map { "\(JSON.string($0.key).text):\($0.value.compact)" }.joined(separator: ",")
        + "}"
    default: return text
    }
  }
}
